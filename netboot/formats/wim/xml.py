"""The XML in a WIM that describes its images: names, architecture, build, languages.

Its author is unknown: it may have 16 MiB of UTF-16, no DTD, no entities, and few levels. What it
says is only a claim, which the inspector compares with the programs inside.
"""

from dataclasses import dataclass
from xml.parsers import expat

from netboot.errors import FormatError
from netboot.formats.wim.wim import XML_LIMIT

DEPTH_LIMIT = 16
ELEMENT_LIMIT = 50_000
TEXT_LIMIT = 4096

_FILETIME_EPOCH = 11_644_473_600  # seconds from 1601 to 1970


@dataclass(frozen=True, slots=True)
class WimImage:
    """One image as the XML describes it.

    `architecture` is WINDOWS/ARCH (0 x86, 9 amd64, 12 ARM64) or None. `modified_at` is seconds
    since 1970 or 0. `size` is bytes of all files.
    """

    index: int
    name: str = ""
    description: str = ""
    architecture: int | None = None
    version: str = ""
    edition: str = ""
    installation_type: str = ""
    product_type: str = ""
    languages: tuple[str, ...] = ()
    system_root: str = ""
    size: int = 0
    file_count: int = 0
    modified_at: int = 0


@dataclass(frozen=True, slots=True)
class WimDescription:
    """All images, in the XML's order; `is_encrypted` marks an encrypted ESD."""

    images: tuple[WimImage, ...]
    is_encrypted: bool = False

    def image(self, index: int) -> WimImage | None:
        return next((image for image in self.images if image.index == index), None)


def parse_wim_xml(data: bytes) -> WimDescription:
    """Read the XML resource. Raises FormatError if it is not the plain XML of a WIM."""
    reader = _Reader()
    reader.read(_decode(data))
    return WimDescription(tuple(reader.images), reader.is_encrypted)


def _decode(data: bytes) -> str:
    if len(data) > XML_LIMIT:
        raise FormatError("the WIM's XML is larger than 16 MiB")
    if data[:2] != b"\xff\xfe":
        raise FormatError("the WIM's XML is not UTF-16 with a byte order mark")
    try:
        return data[2:].decode("utf-16-le").rstrip("\0")
    except UnicodeDecodeError as error:
        raise FormatError("the WIM's XML is not valid UTF-16") from error


class _Reader:
    """Collects the text below each IMAGE element, by its path."""

    def __init__(self) -> None:
        self.images: list[WimImage] = []
        self.is_encrypted = False
        self._path: list[str] = []
        self._texts: dict[str, str] = {}
        self._languages: list[str] = []
        self._index = ""
        self._text: list[str] = []
        self._elements = 0

    def read(self, text: str) -> None:
        parser = expat.ParserCreate("utf-8", None)
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text.append
        parser.StartDoctypeDeclHandler = self._refuse_declarations
        parser.EntityDeclHandler = self._refuse_declarations
        try:
            parser.Parse(text.encode("utf-8", "surrogatepass"), True)  # noqa: FBT003
        except expat.ExpatError as error:
            raise FormatError(f"the WIM's XML is damaged: {error}") from error

    def _refuse_declarations(self, *_details: object) -> None:
        raise FormatError("the WIM's XML declares a document type or entities")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        if len(self._path) >= DEPTH_LIMIT or self._elements > ELEMENT_LIMIT:
            raise FormatError("the WIM's XML is nested too deeply or has too many elements")
        self._path.append(name.upper())
        self._text.clear()
        if self._path == ["WIM", "IMAGE"]:
            self._index = attributes.get("INDEX", "")
            self._texts = {}
            self._languages = []

    def _end(self, _name: str) -> None:
        path = "/".join(self._path[2:])
        text = "".join(self._text).strip()[:TEXT_LIMIT]
        self._text.clear()
        if self._path[:2] == ["WIM", "IMAGE"]:
            if path == "WINDOWS/LANGUAGES/LANGUAGE":
                self._languages.append(text)
            elif path:
                self._texts.setdefault(path, text)
            else:
                self.images.append(self._image())
        elif self._path[:3] == ["WIM", "ESD", "ENCRYPTED"]:
            self.is_encrypted = True
        self._path.pop()

    def _image(self) -> WimImage:
        texts = self._texts
        version = [
            str(_number(texts.get(f"WINDOWS/VERSION/{part}", "")))
            for part in ("MAJOR", "MINOR", "BUILD", "SPBUILD")
        ]
        architecture = texts.get("WINDOWS/ARCH", "")
        default = texts.get("WINDOWS/LANGUAGES/DEFAULT", "")
        return WimImage(
            index=_number(self._index),
            name=texts.get("NAME", ""),
            description=texts.get("DESCRIPTION", ""),
            architecture=_number(architecture) if architecture else None,
            version=".".join(version) if "WINDOWS/VERSION/BUILD" in texts else "",
            edition=texts.get("WINDOWS/EDITIONID", "") or texts.get("FLAGS", ""),
            installation_type=texts.get("WINDOWS/INSTALLATIONTYPE", ""),
            product_type=texts.get("WINDOWS/PRODUCTTYPE", ""),
            # The default is the language in which this image speaks.
            languages=tuple(sorted(self._languages, key=lambda one: one != default)),
            system_root=texts.get("WINDOWS/SYSTEMROOT", ""),
            size=_number(texts.get("TOTALBYTES", "")),
            file_count=_number(texts.get("FILECOUNT", "")),
            modified_at=_seconds(texts),
        )


def _number(text: str) -> int:
    """A decimal or 0x number of at most 64 bits; 0 for anything else."""
    if len(text) > 20 or not text.isascii():
        return 0
    try:
        return max(int(text, 16) if text[:2].lower() == "0x" else int(text), 0)
    except ValueError:
        return 0


def _seconds(texts: dict[str, str]) -> int:
    """LASTMODIFICATIONTIME (a FILETIME in two halves) as seconds since 1970."""
    high = _number(texts.get("LASTMODIFICATIONTIME/HIGHPART", ""))
    low = _number(texts.get("LASTMODIFICATIONTIME/LOWPART", ""))
    seconds = ((high << 32) + low) // 10_000_000 - _FILETIME_EPOCH
    return seconds if 0 < seconds < 1 << 36 else 0


def filetime_halves(seconds: int) -> tuple[str, str]:
    """HIGHPART and LOWPART of a time in the XML, in ticks of 100 ns since 1601."""
    ticks = (seconds + _FILETIME_EPOCH) * 10_000_000
    return f"0x{ticks >> 32:08X}", f"0x{ticks & 0xFFFFFFFF:08X}"
