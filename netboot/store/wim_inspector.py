"""Know a WIM before trusting it: header and XML here, everything else in the sandbox.

Order matters: 208 bytes are checked before the XML is read, the XML before a library opens the
file, every name and every hash before a single file is taken out. What can be repaired by its
owner is InvalidInput with a hint; what could harm whoever opens it is Quarantined.
"""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from netboot.errors import FormatError, InvalidInput, Quarantined
from netboot.formats import pe
from netboot.formats.wim import (
    HEADER_SIZE,
    WimHeader,
    objections,
    parse_blob_table,
    parse_header,
)
from netboot.formats.wim_xml import WimDescription, WimImage, parse_wim_xml
from netboot.images import boot_layout as layout
from netboot.images.architecture import Architecture
from netboot.images.image_facts import (
    ARCHITECTURE_BY_XML,
    BootFile,
    ImageFacts,
    ImageInWim,
)
from netboot.images.secrets import SCAN_LIMIT, SecretFinding, is_scanned, scan_file
from netboot.images.startup_hooks import decode_script
from netboot.store import sandbox
from netboot.store.confine import Limits
from netboot.store.sandbox import Progress, WorkerDied, WorkerRefused, no_progress
from netboot.store.signers import signer_of

_ARCHITECTURE_BY_PE = MappingProxyType(
    {"x86": Architecture.X86, "amd64": Architecture.X64, "arm64": Architecture.ARM64}
)

_REFUSALS: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        33: ("this is one part of a split WIM", "Join it: wimlib-imagex join NEW.wim PART*.swm"),
        43: ("this is not a WIM file", "Choose a .wim, like sources/boot.wim of an ISO."),
        65: ("the file is truncated", "Copy or upload the file again and compare sizes."),
        74: ("the WIM is encrypted", "Decrypt it first; encrypted ESD files cannot boot."),
    }
)
"""wimlib's codes for what the owner of a file can repair."""

_REPAIRED_ELSEWHERE = "Get the file again from where it came from; do not open it elsewhere."


@dataclass(frozen=True, slots=True)
class _Entry:
    path: str
    size: int
    sha1: str
    is_plain: bool


@dataclass(frozen=True, slots=True)
class _Contents:
    """What the sandbox found: entries by lower-case path, and where taken files lie."""

    entries: Mapping[str, _Entry]
    folder: Path
    collected: frozenset[str]
    hives: Mapping[str, Any]
    boot_index: int

    def read(self, path: str, limit: int = SCAN_LIMIT) -> bytes | None:
        """The first bytes of a file that was taken out, None where it was not."""
        entry = self.entries.get(path)
        if entry is None or entry.path not in self.collected:
            return None
        file = self.folder / entry.path.lstrip("/")
        with file.open("rb") as stream:
            return stream.read(limit)


def inspect(
    path: Path,
    *,
    index: int | None = None,
    workdir: Path | None = None,
    progress: Progress = no_progress,
    limits: Limits | None = None,
) -> ImageFacts:
    """All that is known about one image of the WIM at `path`, its bootable one by default.

    Scratch files go below `workdir` and are gone afterwards. Raises InvalidInput with a hint,
    Quarantined, and whatever `progress` raises.
    """
    header, description = read_descriptions(path)
    chosen = _choose(header, description, index)
    with tempfile.TemporaryDirectory(prefix="wim-", dir=workdir) as scratch:
        folder = Path(scratch)
        contents = _examine(path, chosen.index, folder, progress, limits)
        return _facts(path, header, description, chosen, contents)


def read_descriptions(path: Path) -> tuple[WimHeader, WimDescription]:
    """Header and XML, read without any library. Raises InvalidInput or Quarantined."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        try:
            header = parse_header(stream.read(HEADER_SIZE))
        except FormatError as error:
            raise InvalidInput(
                f"{_capital(error)}.", hint="Choose a .wim, like sources/boot.wim of an ISO."
            ) from error
        for objection in objections(header, size):
            kind = Quarantined if objection.suspicious else InvalidInput
            raise kind(f"{_capital(objection.reason)}.", hint=objection.hint or _REPAIRED_ELSEWHERE)
        try:
            stream.seek(header.blob_table.offset)
            parse_blob_table(stream.read(header.blob_table.stored), size)
            stream.seek(header.xml.offset)
            description = parse_wim_xml(stream.read(header.xml.stored))
        except FormatError as error:
            raise Quarantined(f"{_capital(error)}.", hint=_REPAIRED_ELSEWHERE) from error
    if description.is_encrypted:
        raise InvalidInput("The WIM is encrypted.", hint=_REFUSALS[74][1])
    return header, description


def images_in(path: Path) -> tuple[ImageInWim, ...]:
    """The images that a WIM holds, for the operator to choose from."""
    _header, description = read_descriptions(path)
    return _listed(description)


def list_files(path: Path, index: int, *, workdir: Path | None = None) -> dict[str, str]:
    """Paths and SHA-1 of all files of an image that was inspected before, for comparisons."""
    with tempfile.TemporaryDirectory(prefix="wim-", dir=workdir) as scratch:
        try:
            answer = sandbox.run("list", {"index": index}, wim=path, workdir=Path(scratch))
        except (WorkerRefused, WorkerDied) as error:
            raise Quarantined(f"The WIM cannot be listed: {_lowered(error)}.") from error
    return dict(answer.result["files"])


def _listed(description: WimDescription) -> tuple[ImageInWim, ...]:
    return tuple(
        ImageInWim(image.index, image.name, image.description, image.edition)
        for image in description.images
    )


def _choose(header: WimHeader, description: WimDescription, index: int | None) -> WimImage:
    """The image asked for, or the bootable one, or the only one."""
    if header.image_count != len(description.images):
        raise Quarantined(
            f"The header counts {header.image_count} images, "
            f"the XML describes {len(description.images)}.",
            hint=_REPAIRED_ELSEWHERE,
        )
    wanted = index or header.boot_index or (1 if header.image_count == 1 else 0)
    if image := description.image(wanted):
        return image
    names = "; ".join(f"{image.index}: {image.name or 'no name'}" for image in description.images)
    if wanted:
        raise InvalidInput(f"The WIM holds no image {wanted}.", hint=f"It holds {names}.")
    raise InvalidInput(
        "The WIM holds several images and marks none of them as bootable.",
        hint=f"Choose one by its number: {names}.",
    )


def _examine(
    path: Path, index: int, folder: Path, progress: Progress, limits: Limits | None
) -> _Contents:
    """Let the sandbox look inside; translate its refusals."""
    try:
        answer = sandbox.run(
            "examine", {"index": index}, wim=path, workdir=folder, progress=progress, limits=limits
        )
    except WorkerRefused as error:
        if error.code in _REFUSALS:
            reason, hint = _REFUSALS[error.code]
            raise InvalidInput(f"{reason.capitalize()}.", hint=hint) from error
        raise Quarantined(
            f"The WIM is damaged: {_lowered(error)}.", hint=_REPAIRED_ELSEWHERE
        ) from error
    except WorkerDied as error:
        raise Quarantined(
            f"The WIM cannot be read safely: {error}.", hint=_REPAIRED_ELSEWHERE
        ) from error
    result = answer.result
    for sentence in (*result["hostile"], *result["warnings"]):
        raise Quarantined(f"The WIM holds what no Windows tool writes: {sentence}.")
    entries = (
        _Entry(where, size, sha1, bool(plain)) for where, size, sha1, plain in result["entries"]
    )
    return _Contents(
        entries={entry.path.lower(): entry for entry in entries},
        folder=folder / "files",
        collected=frozenset(result["collected"]),
        hives=result["hives"],
        boot_index=result["boot_index"],
    )


def _facts(
    path: Path,
    header: WimHeader,
    description: WimDescription,
    image: WimImage,
    contents: _Contents,
) -> ImageFacts:
    entries = contents.entries
    if not any(program in entries for program in layout.PE_PROGRAMS):
        raise InvalidInput(
            f"Image {image.index} ({image.name or 'no name'}) is not Windows PE: "
            "it holds neither winpeshl.exe nor wpeinit.exe.",
            hint="Choose boot.wim of installation media; install.wim holds whole systems.",
        )
    findings: list[str] = []
    architecture = _architecture(image, contents, findings)
    boot_files = tuple(_boot_files(contents))
    names = {file.name for file in boot_files}
    version, edition = _version(image, contents)
    findings += _other_findings(header, image, contents)
    return ImageFacts(
        size=path.stat().st_size,
        index=image.index,
        images=_listed(description),
        boot_index=contents.boot_index,
        architecture=architecture,
        compression=header.compression.value,
        version=version,
        edition=edition,
        languages=image.languages,
        modified_at=image.modified_at,
        file_count=sum(entry.is_plain for entry in entries.values()),
        total_size=sum(entry.size for entry in entries.values()),
        boot_files=boot_files,
        missing=tuple(layout.missing(boot_files, architecture)),
        loaders=tuple(
            entries[loader].path.replace("/", "\\")
            for loader in layout.LOADERS
            if loader in entries
        ),
        startnet=_script(contents, layout.STARTNET),
        winpeshl=_script(contents, layout.WINPESHL),
        setup_path=_setup_path(entries),
        hives=tuple(sorted(name for name, hive in contents.hives.items() if "fault" not in hive)),
        drivers=_infs(entries, "/windows/bootdrivers/", "/windows/system32/driverstore/"),
        inbox_infs=_infs(entries, "/windows/inf/"),
        packages=tuple(sorted(_packages(entries))),
        chains=layout.chains(names),
        has_background=layout.BACKGROUND in entries,
        has_integrity_table=bool(header.integrity.stored),
        findings=tuple(findings),
        secrets=tuple(_secrets(contents)),
    )


def _architecture(image: WimImage, contents: _Contents, findings: list[str]) -> Architecture:
    """What XML and kernel agree on; where one is silent, the other's word with a finding."""
    claimed = (
        ARCHITECTURE_BY_XML.get(image.architecture) if image.architecture is not None else None
    )
    proved = None
    for program in (layout.KERNEL, *layout.LOADERS):
        head = contents.read(program, pe.HEADER_BYTES)
        if head is None:
            continue
        try:
            machine = pe.parse(head, size=contents.entries[program].size).machine
        except FormatError as error:
            findings.append(f"{contents.entries[program].path}: {error}.")
            continue
        proved = _ARCHITECTURE_BY_PE.get(machine)
        break
    if claimed and proved and claimed is not proved:
        raise InvalidInput(
            f"The WIM's XML says {claimed}, but its kernel is {proved}.",
            hint="Take a WIM from installation media; this one was put together from two.",
        )
    architecture = proved or claimed
    if architecture is None:
        raise InvalidInput(
            "Neither the WIM's XML nor its kernel says for which processor it is.",
            hint="netboot boots x86, x64 and arm64 images.",
        )
    if proved is None:
        findings.append("The architecture is the XML's claim; no kernel was found to confirm it.")
    return architecture


def _boot_files(contents: _Contents) -> Iterator[BootFile]:
    """Boot files inside, the best candidate for each name."""
    for name, paths in layout.CANDIDATES.items():
        found = (contents.entries[path] for path in paths if path in contents.entries)
        for entry in found:
            if entry.is_plain and entry.size:
                signer = _signer(contents, entry) if name.endswith((".efi", ".exe")) else ""
                yield BootFile(name, entry.path, entry.size, entry.sha1, signer)
                break
    for lowered, entry in sorted(contents.entries.items()):
        if layout.FONTS.fullmatch(lowered) and entry.is_plain and entry.size:
            yield BootFile(layout.client_name(lowered), entry.path, entry.size, entry.sha1)


def _signer(contents: _Contents, entry: _Entry) -> str:
    data = contents.read(entry.path.lower(), entry.size)
    return signer_of(data) if data else ""


def _version(image: WimImage, contents: _Contents) -> tuple[str, str]:
    """Windows version and edition: the XML's; what it leaves open, the SOFTWARE hive knows."""
    hive = contents.hives.get("SOFTWARE", {})
    build, revision = str(hive.get("build", "")), hive.get("revision", 0)
    version = image.version or (f"10.0.{build}.0" if build.isdecimal() else "")
    if revision and version.endswith(f".{build}.0"):
        version = f"{version.removesuffix('.0')}.{revision}"
    return version, image.edition or str(hive.get("edition", ""))


def _script(contents: _Contents, path: str) -> str | None:
    data = contents.read(path)
    if data is None:
        return "" if path in contents.entries else None
    return decode_script(data)


def _setup_path(entries: Mapping[str, _Entry]) -> str:
    """The Setup that Windows PE would start by itself, as winpeshl.ini writes it."""
    for path in layout.SETUP_PROGRAMS:
        if path in entries:
            return "%SYSTEMDRIVE%" + entries[path].path.replace("/", "\\")
    return ""


def _infs(entries: Mapping[str, _Entry], *folders: str) -> tuple[str, ...]:
    return tuple(
        entry.path
        for path, entry in sorted(entries.items())
        if path.endswith(".inf") and path.startswith(folders)
    )


def _packages(entries: Mapping[str, _Entry]) -> Iterator[str]:
    """Optional components, as far as their names show them."""
    for path, entry in entries.items():
        name = entry.path.rpartition("/")[2]
        if path.startswith("/windows/servicing/packages/winpe-") and path.endswith(".mum"):
            yield name.partition("~")[0].removesuffix(".mum")


def _secrets(contents: _Contents) -> Iterator[SecretFinding]:
    for path, entry in sorted(contents.entries.items()):
        if is_scanned(path) and (data := contents.read(path)) is not None:
            yield from scan_file(entry.path, data)


def _other_findings(header: WimHeader, image: WimImage, contents: _Contents) -> Iterator[str]:
    if not header.boot_index:
        yield f"No image was marked as bootable; builds mark image {image.index}."
    if layout.IMAGE_INI in contents.entries:
        yield (
            "netboot built this WIM: drivers that it added then are taken out and "
            "replaced by those of the new image."
        )
    for name in layout.HIVES:
        hive = contents.hives.get(name)
        if hive is None:
            yield f"The {name} hive is missing."
        elif "fault" in hive:
            yield f"The {name} hive cannot be read: {hive['fault']}."


def _capital(error: object) -> str:
    text = str(error)
    return text[:1].upper() + text[1:]


def _lowered(error: object) -> str:
    text = str(error).rstrip(".")
    return text[:1].lower() + text[1:]
