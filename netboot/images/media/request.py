"""The order for a bootable medium, checked before any work.

A medium has one version, or two of different architectures, with their WIMs unchanged. Law: what a
loader cannot do (a start password with Microsoft's boot manager, for example) is refused here,
never ignored.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from netboot.errors import InvalidInput
from netboot.formats.cpio import SIZE_LIMIT
from netboot.images.architecture import Architecture
from netboot.images.versions.content_version import ContentVersion

LABEL_LIMIT = 11
"""The limit of FAT. ISO 9660 allows more, but both file systems get the same label."""

LARGEST_DISK = 2 << 40
MIB = 1 << 20
PASSWORD_LIMIT = 128
PASSWORD_ROUNDS = 20_000
PASSWORD_USER = "start"  # noqa: S105  the user name that GRUB asks for with the password

_LABEL = re.compile(r"[A-Z0-9][A-Z0-9_-]*")
_HOME = re.compile(r"http://[A-Za-z0-9.:\[\]-]{1,120}")
_HASH = re.compile(r"grub\.pbkdf2\.sha512\.[0-9]+\.[0-9A-F]+\.[0-9A-F]{128}")


class MediaKind(StrEnum):
    """A disc that also works as a USB stick, a USB stick, or a machine's disk."""

    ISO = "iso"
    USB = "usb"
    DISK = "disk"


class DiskFormat(StrEnum):
    """The file format of a disk image; other media are always raw."""

    RAW = "raw"
    QCOW2 = "qcow2"
    VHDX = "vhdx"


LINUX, NATIVE = "linux", "native"
NEEDED = {LINUX: ("vmlinuz", "initrd.gz", "boot.wim"), NATIVE: ("boot.sdi", "boot.wim")}


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaOrder:
    """The order for one medium.

    `expires` is a date like 2027-03-31 that is shown at each start; the medium still works after
    it. `password_hash` is from `hash_password`. `home` is the address of the site
    (`http://10.0.0.2:8081`) to which the image reports. `size` is that of a disk in bytes, 0 for
    the smallest possible.
    """

    kind: MediaKind
    format: DiskFormat = DiskFormat.RAW
    label: str = "NETBOOT"
    expires: str = ""
    password_hash: str = ""
    home: str = ""
    size: int = 0

    def __post_init__(self) -> None:
        if not _LABEL.fullmatch(self.label) or len(self.label) > LABEL_LIMIT:
            raise InvalidInput(
                f"{self.label[:40]!r} is not a valid volume label",
                hint=f"Use at most {LABEL_LIMIT} of A-Z, 0-9, dash and underscore.",
            )
        if self.format is not DiskFormat.RAW and self.kind is not MediaKind.DISK:
            raise InvalidInput(
                f"an {self.kind} image is never {self.format}",
                hint="Choose a disk image, or leave out the format.",
            )
        if self.expires:
            try:
                date.fromisoformat(self.expires)
            except ValueError:
                raise InvalidInput(
                    f"{self.expires[:40]!r} is not a valid date",
                    hint="Enter it in this form: 2027-03-31.",
                ) from None
        if self.password_hash and not _HASH.fullmatch(self.password_hash):
            raise InvalidInput("the start password hash is not in GRUB's format")
        if self.home and not _HOME.fullmatch(self.home):
            raise InvalidInput(
                f"{self.home[:80]!r} is not a valid report address",
                hint="Enter the site's address for boot files, for example http://192.0.2.1:8081.",
            )
        if self.size and self.kind is not MediaKind.DISK:
            raise InvalidInput(
                f"the size of an {self.kind} image cannot be chosen",
                hint="Only disk images can have a custom size. Leave out the size.",
            )
        if self.size % MIB or not 0 <= self.size <= LARGEST_DISK:
            raise InvalidInput(
                f"a size of {self.size} bytes is not possible",
                hint="Use whole MiB, up to 2 TiB.",
            )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(data: dict[str, Any]) -> "MediaOrder":
        kind, form = MediaKind(data["kind"]), DiskFormat(data["format"])
        return MediaOrder(**{**data, "kind": kind, "format": form})


def check_order(order: MediaOrder, versions: Sequence[ContentVersion]) -> str:
    """The chain that starts these versions from the medium: `linux` or `native`.

    Raises InvalidInput if the order is not possible.
    """
    if not 1 <= len(versions) <= 2:
        raise InvalidInput("a medium contains one version, or two of different architectures")
    names = " and ".join(version.label for version in versions)
    if len({version.architecture for version in versions}) != len(versions):
        raise InvalidInput(
            f"{names} have the same architecture",
            hint="A medium can contain at most one x64 and one x86 version.",
        )
    chain = next(
        (c for c in (LINUX, NATIVE) if all(c in version.chains for version in versions)), ""
    )
    if not chain:
        raise InvalidInput(
            f"{names} cannot start from the same medium",
            hint="Each must be bootable, and both must use the same kind of boot loader.",
        )
    for version in versions:
        _check_version(order, version, chain)
    if chain == NATIVE:
        _check_native(order)
    return chain


def _check_version(order: MediaOrder, version: ContentVersion, chain: str) -> None:
    lacking = [name for name in NEEDED[chain] if version.file(name) is None]
    if lacking:
        raise InvalidInput(
            f"{version.label} does not contain {', '.join(lacking)}, so no medium can start it",
            hint="Build a new version.",
        )
    wim = version.file("boot.wim")
    if wim is not None and wim.size > SIZE_LIMIT:
        raise InvalidInput(
            f"the boot.wim of {version.label} has {wim.size} bytes; FAT supports files up to 4 GiB",
            hint="Remove what is not needed from the image and build it again.",
        )
    needs_uefi = version.architecture is Architecture.ARM64
    if needs_uefi and (chain == LINUX or order.kind is MediaKind.DISK):
        raise InvalidInput(
            f"{version.label} is for ARM64, whose machines have no BIOS",
            hint="Create an ISO or a USB image of a Windows PE.",
        )


def _check_native(order: MediaOrder) -> None:
    if order.password_hash:
        raise InvalidInput(
            "Windows Boot Manager does not support a password",
            hint="Leave it out, or protect the image with a prestart command.",
        )
    if order.home:
        raise InvalidInput(
            "a Windows PE medium cannot have its own report address",
            hint="Set report_home in the image's properties and build a new version.",
        )


def hash_password(password: str, salt: bytes) -> str:
    """The hash of a start password for GRUB (PBKDF2, RFC 8018). Raises InvalidInput."""
    if not 4 <= len(password) <= PASSWORD_LIMIT or not password.isascii():
        raise InvalidInput(
            "this start password is not valid",
            hint=f"Use 4 to {PASSWORD_LIMIT} ASCII characters. The keyboard is English at startup.",
        )
    made = hashlib.pbkdf2_hmac("sha512", password.encode("ascii"), salt, PASSWORD_ROUNDS)
    return f"grub.pbkdf2.sha512.{PASSWORD_ROUNDS}.{salt.hex().upper()}.{made.hex().upper()}"


def identity(
    order: MediaOrder, versions: Sequence[ContentVersion], loaders: Sequence[str] = ()
) -> str:
    """Sixteen hex digits by which a loader distinguishes this medium from others in the machine.

    `loaders` are the UEFI loaders of the versions, which depend on the site's setting.
    """
    parts = [order.kind.value, order.label, order.expires, order.password_hash, order.home]
    parts += loaders
    for version in versions:
        parts += [version.label, *(f"{file.name} {file.digest}" for file in version.files)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def file_name(order: MediaOrder, slug: str, number: int) -> str:
    """The name of a download: `lab-pe-x64-v7.iso`, `lab-pe-x64-v7-usb.img`, `….vhdx`."""
    stem = f"{slug}-v{number}"
    match order.kind:
        case MediaKind.ISO:
            return f"{stem}.iso"
        case MediaKind.USB:
            return f"{stem}-usb.img"
        case _:
            ending = "img" if order.format is DiskFormat.RAW else order.format.value
            return f"{stem}-disk.{ending}"
