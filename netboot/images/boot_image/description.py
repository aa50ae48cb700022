"""The description of a Windows PE image in a WIM, made once by the inspector at import.

It consists of plain values, since the database stores it as JSON.
"""

from dataclasses import asdict, dataclass
from typing import Any

from netboot.images.architecture import Architecture
from netboot.images.boot_image.secrets import SecretFinding
from netboot.images.drivers.inbox import InboxDriver

ARCHITECTURE_BY_XML = {0: Architecture.X86, 9: Architecture.X64, 12: Architecture.ARM64}
"""WINDOWS/ARCH in a WIM's XML: PROCESSOR_ARCHITECTURE_* of winnt.h."""


@dataclass(frozen=True, slots=True)
class ImageInWim:
    """An image of a WIM with several images, for the operator to choose from."""

    index: int
    name: str
    description: str = ""
    edition: str = ""


@dataclass(frozen=True, slots=True)
class BootFile:
    """A boot file in the image: clients request it as `name`; `path` is its place.

    `signer` is the authority that signed it: "2011", "2023", "other", or "" for unsigned.
    """

    name: str
    path: str
    size: int
    sha1: str
    signer: str = ""


@dataclass(frozen=True, slots=True)
class MissingBootFile:
    """A boot file that the image lacks, which machines need it, and where to get it."""

    name: str
    needed_for: str
    source: str


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """The facts about an image.

    `size` is that of the WIM file, `version` is like 10.0.26100.1. `startnet` and `winpeshl` are
    the texts of the two start scripts, None if missing. `setup_path` is the Setup program that
    Windows PE would start by itself, with %SYSTEMDRIVE%. `loaders` are the paths of Windows'
    loaders. `languages` has the default first; `language_files` are those of the boot managers (see
    netboot.images.servicing.boot_language). `modified_at` is seconds since 1970, from the XML:
    builds give this time to everything that they add. `inbox` are the network and storage drivers
    of this Windows PE. `programs` are the names of programs that a command finds
    without a path, and `services` those of its own drivers, in lower case; None if an older version
    of netboot imported it.
    """

    size: int
    index: int
    images: tuple[ImageInWim, ...]
    boot_index: int
    architecture: Architecture
    compression: str
    version: str = ""
    edition: str = ""
    languages: tuple[str, ...] = ()
    modified_at: int = 0
    file_count: int = 0
    total_size: int = 0
    boot_files: tuple[BootFile, ...] = ()
    missing: tuple[MissingBootFile, ...] = ()
    loaders: tuple[str, ...] = ()
    startnet: str | None = None
    winpeshl: str | None = None
    setup_path: str = ""
    hives: tuple[str, ...] = ()
    drivers: tuple[str, ...] = ()
    inbox_infs: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    chains: tuple[str, ...] = ()
    has_background: bool = False
    has_integrity_table: bool = False
    findings: tuple[str, ...] = ()
    secrets: tuple[SecretFinding, ...] = ()
    inbox: tuple[InboxDriver, ...] = ()
    language_files: tuple[BootFile, ...] = ()
    programs: tuple[str, ...] | None = None
    services: tuple[str, ...] | None = None

    @property
    def build(self) -> int:
        """The Windows build number, 0 if unknown."""
        parts = self.version.split(".")
        return int(parts[2]) if len(parts) > 2 else 0

    @property
    def words(self) -> str:
        """What it is, and which image of its file: Windows Setup and Windows PE come in one."""
        what = f"Windows PE {self.version}".strip() + f" for {self.architecture}"
        if len(self.images) < 2:
            return what
        name = next((one.name for one in self.images if one.index == self.index), "")
        return f"{what}, image {self.index} of {len(self.images)}" + (f", {name}" if name else "")

    def boot_file(self, name: str) -> BootFile | None:
        return next((file for file in self.boot_files if file.name == name), None)

    def loader(self, extension: str) -> str:
        """The Windows loader with this extension (".exe", ".efi") as a BCD path, or ""."""
        return next((path for path in self.loaders if path.lower().endswith(extension)), "")

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(data: dict[str, Any]) -> "ImageFacts":
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list | tuple) else value
            for key, value in data.items()
        }
        values["architecture"] = Architecture(data["architecture"])
        values["images"] = tuple(ImageInWim(**item) for item in data["images"])
        values["boot_files"] = tuple(BootFile(**item) for item in data["boot_files"])
        values["language_files"] = tuple(
            BootFile(**item) for item in data.get("language_files", ())
        )
        values["missing"] = tuple(MissingBootFile(**item) for item in data["missing"])
        values["inbox"] = tuple(InboxDriver.from_json(item) for item in data.get("inbox", ()))
        values["secrets"] = tuple(SecretFinding(**item) for item in data["secrets"])
        return ImageFacts(**values)
