"""A content version: what one build of a boot image gives to clients, immutable and numbered."""

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from netboot.images.architecture import Architecture
from netboot.images.boot_image import uefi_loader
from netboot.images.boot_image.boot_image import slug


@dataclass(frozen=True, slots=True)
class ManifestFile:
    """A file that a client may get. `digest` is `sha256:<hex>`, `size` in bytes."""

    name: str
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class DriverInVersion:
    """A driver package as it lies in a version, for reports and for boot logs."""

    digest: str
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class ContentVersion:
    """Version `number` of the image called `image`.

    `chains` names the ways that this content can be booted, best first
    (see netboot.boot.answer.nbp): "linux" (Lab PE), "native" (Microsoft's loaders), "wimboot".
    `preferred` says which of them machines of a firmware ("bios", "uefi") shall be given first.
    `files` maps the name that a client asks for to its bytes. `short_name` is the image's name in
    addresses and stays when the image is renamed; `built_as` is the name that the version was
    built under (both empty for what `image` says). `authority` is the authority whose loader
    the image's policy wants, `uefi_loaders` the file for each that it holds
    (see netboot.images.boot_image.uefi_loader).
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

    @property
    def address(self) -> str:
        """The image's name as it stands in addresses."""
        return self.short_name or slug(self.image)

    def called(self, name: str, short_name: str) -> "ContentVersion":
        """This version of an image that is called `name` by now."""
        if (name, short_name) == (self.image, self.address):
            return self
        built_as = self.built_as or self.image
        return replace(self, image=name, short_name=short_name, built_as=built_as)

    def uefi_loader(self, *, machine: str = "", site: str = "") -> str:
        """Which of its files a UEFI machine gets as bootmgfw.efi, "" for none.

        `machine` is the authority that this machine is known to need, `site` the site's default.
        """
        held = dict(self.uefi_loaders) or uefi_loader.unsigned(file.name for file in self.files)
        return uefi_loader.choose(held, machine=machine, image=self.authority, site=site)

    @property
    def label(self) -> str:
        """How people name it: `Lab PE x64 v7`."""
        return f"{self.image} v{self.number}"

    def file(self, name: str) -> ManifestFile | None:
        """The file called `name` (exact), or None."""
        return next((file for file in self.files if file.name == name), None)

    def chains_for(self, firmware: str) -> tuple[str, ...]:
        """The chains for machines of a firmware (`bios` or `uefi…`): the preferred one first."""
        kind = "uefi" if "efi" in firmware.lower() else "bios"
        wanted = dict(self.preferred).get(kind, "")
        return tuple(sorted(self.chains, key=lambda chain: chain != wanted))

    def to_json(self) -> dict[str, Any]:
        """Plain values for a manifest on disk; `from_json` is the inverse."""
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
            "files": [
                {"name": file.name, "digest": file.digest, "size": file.size} for file in self.files
            ],
            "drivers": [
                {"digest": driver.digest, "name": driver.name, "version": driver.version}
                for driver in self.drivers
            ],
        }

    @staticmethod
    def from_json(data: dict[str, Any]) -> "ContentVersion":
        """The version that `to_json` wrote."""
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
            files=tuple(ManifestFile(**file) for file in data["files"]),
            drivers=tuple(DriverInVersion(**driver) for driver in data.get("drivers", ())),
        )


@dataclass(frozen=True, slots=True)
class PublishedContent:
    """What a distribution point hands out now: one snapshot, replaced as a whole.

    `current` maps an image's name to the version that new boots get; `kept` holds every
    version that may still be asked for by number (running boots, rollback).
    `defaults` names the image for each architecture; `assignments` maps a MAC address
    (lower case, colons) to an image's name. `supplied` are boot programs that the administrator
    brought (wimboot), by name. `authorities` maps a MAC address to the authority whose boot
    loader that machine needs. `names` maps each image's short name to what it is called now.
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
        """Whether policy says anything of this very machine: its image, or its authority."""
        return mac in self.assignments or mac in self.authorities

    @staticmethod
    def empty() -> "PublishedContent":
        """A point that holds nothing yet."""
        return PublishedContent(
            0,
            MappingProxyType({}),
            MappingProxyType({}),
            MappingProxyType({}),
            MappingProxyType({}),
        )
