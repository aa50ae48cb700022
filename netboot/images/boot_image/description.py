"""What is known about one Windows PE image inside a WIM: found once, at import.

The inspector fills it in; rules (servicing, coverage, pages) only read it. All of it is plain
values, so that it survives as JSON in the database.
"""

from dataclasses import asdict, dataclass
from typing import Any

from netboot.images.architecture import Architecture
from netboot.images.boot_image.secrets import SecretFinding
from netboot.images.drivers.inbox import InboxDriver

ARCHITECTURE_BY_XML = {0: Architecture.X86, 9: Architecture.X64, 12: Architecture.ARM64}
"""WINDOWS/ARCH in a WIM's XML."""

ARCHITECTURE_BY_MACHINE = {
    0x014C: Architecture.X86,
    0x8664: Architecture.X64,
    0xAA64: Architecture.ARM64,
}
"""Machine in a PE's COFF header."""


@dataclass(frozen=True, slots=True)
class ImageInWim:
    """One image of a WIM that holds several, for the operator to choose from."""

    index: int
    name: str
    description: str = ""
    edition: str = ""


@dataclass(frozen=True, slots=True)
class BootFile:
    """A boot file that the image holds: `name` is what clients ask for, `path` where it lies.

    `signer` says which authority signed it: "2011", "2023", "other", or "" for unsigned.
    """

    name: str
    path: str
    size: int
    sha1: str
    signer: str = ""


@dataclass(frozen=True, slots=True)
class MissingBootFile:
    """A boot file that the image lacks, what lacks without it, and where to get it."""

    name: str
    needed_for: str
    source: str


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """One image of a WIM, as found.

    `size` is the WIM file's bytes, `version` is like 10.0.26100.1. `startnet` and `winpeshl`
    are the texts of the two start-up files, None where the image has none. `setup_path` is the
    Setup program that Windows PE would start by itself, as a path with %SYSTEMDRIVE%.
    `loaders` are the Windows loaders inside, as paths. `modified_at` is seconds since 1970,
    from the XML: builds use it as the time of everything that they add. `inbox` are the network
    and storage drivers that the image brings along.
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

    @property
    def build(self) -> int:
        """The Windows build number, 0 where unknown."""
        parts = self.version.split(".")
        return int(parts[2]) if len(parts) > 2 else 0

    def boot_file(self, name: str) -> BootFile | None:
        """The boot file that clients call `name`, or None."""
        return next((file for file in self.boot_files if file.name == name), None)

    def loader(self, extension: str) -> str:
        """The Windows loader with this extension (".exe", ".efi") as a BCD path, or ""."""
        return next((path for path in self.loaders if path.lower().endswith(extension)), "")

    def to_json(self) -> dict[str, Any]:
        """Plain values; `from_json` is the inverse."""
        return asdict(self)

    @staticmethod
    def from_json(data: dict[str, Any]) -> "ImageFacts":
        """The facts that `to_json` wrote."""
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list | tuple) else value
            for key, value in data.items()
        }
        values["architecture"] = Architecture(data["architecture"])
        values["images"] = tuple(ImageInWim(**item) for item in data["images"])
        values["boot_files"] = tuple(BootFile(**item) for item in data["boot_files"])
        values["missing"] = tuple(MissingBootFile(**item) for item in data["missing"])
        values["inbox"] = tuple(_inbox(item) for item in data.get("inbox", ()))
        values["secrets"] = tuple(SecretFinding(**item) for item in data["secrets"])
        return ImageFacts(**values)


def _inbox(data: dict[str, Any]) -> InboxDriver:
    ids = {name: tuple(data[name]) for name in ("hardware_ids", "compatible_ids")}
    return InboxDriver(**{**data, **ids})
