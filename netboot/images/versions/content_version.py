"""A content version: the files that one build of a boot image serves, immutable and numbered."""

from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import Any

from netboot.images.architecture import Architecture
from netboot.images.boot_image import uefi_loader
from netboot.images.boot_image.boot_image import slug


@dataclass(frozen=True, slots=True)
class ManifestFile:
    """A file for clients. `digest` is `sha256:<hex>`, `size` in bytes."""

    name: str
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class DriverInVersion:
    """A driver package in a version, for reports and boot logs."""

    digest: str
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class ContentVersion:
    """Version `number` of the boot image `image`.

    `chains` are the possible boot methods, best first (see netboot.boot.answer.nbp): "linux" (Lab
    PE), "native" (Microsoft's loaders), "wimboot". `preferred` has the first choice for a firmware
    ("bios", "uefi"). `short_name` is the image's name in URLs, which stays when the image is
    renamed; `built_as` is the image's name at the build (both empty for `image`). `authority` is
    the authority whose loader the image requires, `uefi_loaders` the loader of each authority (see
    netboot.images.boot_image.uefi_loader). `locale` is that of its boot managers (en-US if empty).
    """

    image: str
    number: int
    architecture: Architecture
    recipe_digest: str
    built_at: float
    files: tuple[ManifestFile, ...]
    chains: tuple[str, ...]
    drivers: tuple[DriverInVersion, ...] = ()
    comment: str = ""
    preferred: tuple[tuple[str, str], ...] = ()
    short_name: str = ""
    built_as: str = ""
    authority: str = ""
    uefi_loaders: tuple[tuple[str, str], ...] = ()
    locale: str = ""

    @property
    def address(self) -> str:
        """The image's name in URLs."""
        return self.short_name or slug(self.image)

    def called(self, name: str, short_name: str) -> "ContentVersion":
        """This version under the current name of its image."""
        if (name, short_name) == (self.image, self.address):
            return self
        built_as = self.built_as or self.image
        return replace(self, image=name, short_name=short_name, built_as=built_as)

    def uefi_loader(self, *, machine: str = "", site: str = "") -> str:
        """The file that a UEFI machine gets as bootmgfw.efi, or "".

        `machine` is the authority that this machine requires, `site` that of the site.
        """
        held = dict(self.uefi_loaders) or uefi_loader.unsigned(file.name for file in self.files)
        return uefi_loader.choose(held, machine=machine, image=self.authority, site=site)

    @property
    def label(self) -> str:
        return f"{self.image} v{self.number}"

    def file(self, name: str) -> ManifestFile | None:
        return next((file for file in self.files if file.name == name), None)

    def chains_for(self, firmware: str) -> tuple[str, ...]:
        """The chains for a firmware (`bios` or `uefi…`), the preferred one first."""
        kind = "uefi" if "efi" in firmware.lower() else "bios"
        wanted = dict(self.preferred).get(kind, "")
        return tuple(sorted(self.chains, key=lambda chain: chain != wanted))

    def to_json(self) -> dict[str, Any]:
        """The manifest on disk; `from_json` is the inverse."""
        return {
            "image": self.image,
            "number": self.number,
            "architecture": self.architecture.value,
            "recipe_digest": self.recipe_digest,
            "built_at": self.built_at,
            "chains": list(self.chains),
            "comment": self.comment,
            "preferred": dict(self.preferred),
            "short_name": self.short_name,
            "built_as": self.built_as,
            "authority": self.authority,
            "uefi_loaders": dict(self.uefi_loaders),
            "locale": self.locale,
            "files": [asdict(file) for file in self.files],
            "drivers": [asdict(driver) for driver in self.drivers],
        }

    @staticmethod
    def from_json(data: dict[str, Any]) -> "ContentVersion":
        return ContentVersion(
            image=data["image"],
            number=data["number"],
            architecture=Architecture(data["architecture"]),
            recipe_digest=data["recipe_digest"],
            built_at=data["built_at"],
            chains=tuple(data["chains"]),
            comment=data.get("comment", ""),
            preferred=tuple(sorted(data.get("preferred", {}).items())),
            short_name=data.get("short_name", ""),
            built_as=data.get("built_as", ""),
            authority=data.get("authority", ""),
            uefi_loaders=tuple(sorted(data.get("uefi_loaders", {}).items())),
            locale=data.get("locale", ""),
            files=tuple(ManifestFile(**file) for file in data["files"]),
            drivers=tuple(DriverInVersion(**driver) for driver in data.get("drivers", ())),
        )


@dataclass(frozen=True, slots=True)
class PublishedContent:
    """What a distribution point serves: a snapshot that is replaced as a whole.

    `current` has the version that new boots get, by image name; `kept` has every version that
    clients can still request by number (running boots, rollback). `defaults` are image names by
    architecture, `assignments` image names by MAC address (lower case, colons). `supplied` are
    boot programs of the administrator (wimboot). `authorities` has the authority whose loader a
    machine requires, by MAC address. `names` are the image names by short name.
    """

    generation: int
    current: MappingProxyType[str, ContentVersion]
    kept: MappingProxyType[tuple[str, int], ContentVersion]
    defaults: MappingProxyType[Architecture, str]
    assignments: MappingProxyType[str, str]
    supplied: MappingProxyType[str, ManifestFile] = field(
        default_factory=lambda: MappingProxyType({})
    )
    authorities: MappingProxyType[str, str] = field(default_factory=lambda: MappingProxyType({}))
    names: MappingProxyType[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def names_machine(self, mac: str) -> bool:
        """Whether this machine has an image or an authority of its own."""
        return mac in self.assignments or mac in self.authorities

    @staticmethod
    def empty() -> "PublishedContent":
        nothing: MappingProxyType[Any, Any] = MappingProxyType({})
        return PublishedContent(0, nothing, nothing, nothing, nothing)
