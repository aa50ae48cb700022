r"""Which file lies where on a medium, and what starts it on each kind of firmware.

    Lab PE       GRUB everywhere; UEFI finds it as \EFI\BOOT\BOOT….EFI
    Windows PE   UEFI: bootmgfw.efi out of the version, with a boot configuration for media
                 BIOS: bootmgr and, on a disc, etfsboot.com out of the WIM; on sticks and disks,
                 whose boot sectors Microsoft's tools write on Windows only, GRUB hands over to
                 bootmgr

On an ISO, firmware of UEFI reads a FAT image inside. A partition table names it too: an ISO is a
stick for UEFI, and where GRUB starts it for BIOS. The Lab PE's image holds GRUB alone; Windows'
boot manager takes "the device that I came from" for everything, so its FAT image holds the WIM
too, and where BIOS shall start as well the WIM lies on the disc twice.

References: UEFI specification §3.5.1.1 (removable media); El Torito 1.0; Microsoft's "WinPE:
Create bootable media". No Windows PE was booted from these by their authors.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from netboot.formats.bcd import BootConfiguration, OtherImage, write_bcd
from netboot.images.architecture import Architecture
from netboot.images.media.menu import (
    FOLDER,
    MenuEntry,
    bootmgr_config,
    early_config,
    menu,
    sums,
    wim_head,
)
from netboot.images.media.request import LINUX, MediaKind, MediaOrder, check_order, identity
from netboot.images.versions.content_version import ContentVersion

MENU_SECONDS = 10
EFI_NAMES = {
    Architecture.X64: "EFI/BOOT/BOOTX64.EFI",
    Architecture.X86: "EFI/BOOT/BOOTIA32.EFI",
    Architecture.ARM64: "EFI/BOOT/BOOTAA64.EFI",
}
GRUB_EFI = {Architecture.X64: "x86_64-efi", Architecture.X86: "i386-efi"}
BIOS_PARTS = ("/windows/boot/pcat/bootmgr", "/windows/boot/dvd/pcat/etfsboot.com")
"""What a medium for BIOS takes out of the WIM itself, since no network boot needs it."""


LOADERS = (r"\Windows\System32\boot\winload.exe", r"\Windows\System32\boot\winload.efi")
"""Where Windows' loaders lie when an import found none."""


class BiosStart(StrEnum):
    """What a BIOS loads first."""

    GRUB = "grub"
    ETFSBOOT = "etfsboot"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class MediumFile:
    """A file of a medium: the blob `digest`, or the bytes `data` where there is no digest."""

    path: str
    digest: str = ""
    data: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """A version to be carried, with what only its site knows.

    `arguments` are for a Lab PE's kernel; `loaders` name winload.exe and winload.efi inside a
    Windows PE; `parts` are those of `BIOS_PARTS` that its WIM holds, by their last name.
    `site_authority` is whose UEFI loader the site prefers (netboot.images.boot_image.uefi_loader).
    """

    version: ContentVersion
    arguments: str = ""
    loaders: tuple[str, str] = LOADERS
    parts: Mapping[str, bytes] | None = None
    site_authority: str = ""

    @property
    def uefi_loader(self) -> str:
        """Which of the version's files UEFI machines start, "" for none."""
        return self.version.uefi_loader(site=self.site_authority)

    def part(self, name: str) -> bytes:
        """One of the BIOS parts; empty where the WIM has none."""
        return (self.parts or {}).get(name, b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class MediumPlan:
    """Everything that decides a medium's bytes.

    `files` lie on the medium's own file system, `firmware_files` (of an ISO) in the FAT image
    for UEFI. `grub_efi` are GRUB's platforms by the path of the loader to be made; `early` is
    what stands in every GRUB. `at` is the time that all files bear, in epoch seconds.
    """

    order: MediaOrder
    identity: str
    at: int
    files: tuple[MediumFile, ...]
    firmware_files: tuple[MediumFile, ...] = ()
    bios: BiosStart = BiosStart.GRUB
    grub_efi: Mapping[str, str]
    early: str
    wims: Mapping[str, str]
    """Paths of the WIMs, with their digests: what is read back when the medium is made."""

    @property
    def all_files(self) -> tuple[MediumFile, ...]:
        """Those of both file systems."""
        return (*self.files, *self.firmware_files)


def plan_medium(order: MediaOrder, carried: Sequence[Carried]) -> MediumPlan:
    """Lay a medium out. Raises InvalidInput for what cannot be."""
    ordered = sorted(carried, key=lambda each: each.version.architecture is Architecture.X86)
    chain = check_order(order, [each.version for each in ordered])
    versions = [each.version for each in ordered]
    if chain == LINUX:
        return _linux(order, ordered, identity(order, versions))
    loaders = [each.uefi_loader for each in ordered]
    return _native(order, ordered, identity(order, versions, loaders))


def wim_path(place: int) -> str:
    """Where the WIM of the first or second version lies."""
    return "sources/boot-x86.wim" if place else "sources/boot.wim"


def _linux(order: MediaOrder, carried: Sequence[Carried], name: str) -> MediumPlan:
    entries = [
        MenuEntry(
            version=each.version,
            wim_path=wim_path(place),
            arguments=each.arguments,
        )
        for place, each in enumerate(carried)
    ]
    text = menu(entries, expires=order.expires, password_hash=order.password_hash)
    files = [*_about(order, carried, name), MediumFile(f"{FOLDER}/grub.cfg", data=text.encode())]
    for entry in entries:
        files += _kernel_files(entry)
    return MediumPlan(
        order=order,
        identity=name,
        at=_moment(carried),
        files=tuple(files),
        grub_efi={EFI_NAMES[firmware]: GRUB_EFI[firmware] for firmware in _linux_firmware(carried)},
        early=early_config(name),
        wims=_wims(carried),
    )


def _linux_firmware(carried: Sequence[Carried]) -> tuple[Architecture, ...]:
    """UEFI of 64 bits starts kernels of 64 bits only; UEFI of 32 bits starts both."""
    held = {each.version.architecture for each in carried}
    return (Architecture.X64, Architecture.X86) if Architecture.X64 in held else (Architecture.X86,)


def _kernel_files(entry: MenuEntry) -> list[MediumFile]:
    version, folder = entry.version, entry.folder
    digests = {name: _digest(version, name) for name in ("vmlinuz", "initrd.gz", "boot.wim")}
    wim = version.file("boot.wim")
    paths = {
        f"{folder}/vmlinuz": digests["vmlinuz"],
        f"{folder}/initrd.gz": digests["initrd.gz"],
        entry.wim_path: digests["boot.wim"],
    }
    return [
        *(MediumFile(path, digest) for path, digest in paths.items()),
        MediumFile(f"{folder}/wim.head", data=wim_head(wim.size if wim else 0)),
        MediumFile(f"{folder}/SHA256SUMS", data=sums(paths).encode()),
    ]


def _native(order: MediaOrder, carried: Sequence[Carried], name: str) -> MediumPlan:
    about = _about(order, carried, name)
    uefi = _native_uefi(order, carried)
    bios = _native_bios(order, carried) if carried[0].part("bootmgr") else []
    plan = MediumPlan(
        order=order,
        identity=name,
        at=_moment(carried),
        files=tuple(about),
        grub_efi={},
        early=bootmgr_config(name),
        wims=_wims(carried),
    )
    if order.kind is MediaKind.ISO:
        etfsboot = carried[0].part("etfsboot.com")
        starts = bool(bios and etfsboot)
        shared = [*bios, *_shared(carried), *_wim_files(carried)] if starts else []
        loader = [MediumFile("boot/etfsboot.com", data=etfsboot)] if starts else []
        return replace(
            plan,
            files=(*about, *shared, *loader),
            firmware_files=(*about, *uefi, *_shared(carried), *_wim_files(carried)),
            bios=BiosStart.ETFSBOOT if starts else BiosStart.NONE,
        )
    return replace(
        plan,
        files=(*about, *uefi, *bios, *_shared(carried), *_wim_files(carried)),
        bios=BiosStart.GRUB if bios else BiosStart.NONE,
    )


def _native_uefi(order: MediaOrder, carried: Sequence[Carried]) -> list[MediumFile]:
    loaders = [
        MediumFile(EFI_NAMES[each.version.architecture], digest)
        for each in carried
        if (digest := _digest(each.version, each.uefi_loader))
    ]
    if not loaders:
        return []
    data = media_bcd(carried, is_uefi=True, expires=order.expires)
    store = MediumFile("EFI/Microsoft/Boot/BCD", data=data)
    return [*loaders, store, *_fonts(carried[0].version, "EFI/Microsoft/Boot/Fonts")]


def _native_bios(order: MediaOrder, carried: Sequence[Carried]) -> list[MediumFile]:
    data = media_bcd(carried, is_uefi=False, expires=order.expires)
    return [
        MediumFile("bootmgr", data=carried[0].part("bootmgr")),
        MediumFile("boot/BCD", data=data),
        *_fonts(carried[0].version, "boot/Fonts"),
    ]


def media_bcd(carried: Sequence[Carried], *, is_uefi: bool, expires: str = "") -> bytes:
    """The boot configuration of a medium: everything on the device that it was started from.

    Each title includes the expiry date, and the menu is shown so that the user sees it.
    """
    first, *rest = carried
    other = rest[0] if rest else None
    note = f" (use until {expires})" if expires else ""
    return write_bcd(
        BootConfiguration(
            title=first.version.label + note,
            is_uefi=is_uefi,
            loader_path=first.loaders[is_uefi],
            wim_path=_backslashed(wim_path(0)),
            sdi_path=r"\boot\boot.sdi",
            menu_seconds=MENU_SECONDS if other or expires else 0,
            by_network=False,
            other=OtherImage(
                other.version.label + note,
                other.loaders[is_uefi],
                _backslashed(wim_path(1)),
            )
            if other
            else None,
        )
    )


def _shared(carried: Sequence[Carried]) -> list[MediumFile]:
    return [MediumFile("boot/boot.sdi", _digest(carried[0].version, "boot.sdi"))]


def _wim_files(carried: Sequence[Carried]) -> list[MediumFile]:
    return [MediumFile(path, digest) for path, digest in _wims(carried).items()]


def _wims(carried: Sequence[Carried]) -> dict[str, str]:
    return {
        wim_path(place): _digest(each.version, "boot.wim") for place, each in enumerate(carried)
    }


def _fonts(version: ContentVersion, folder: str) -> list[MediumFile]:
    return [
        MediumFile(f"{folder}/{file.name.removeprefix('Fonts/')}", file.digest)
        for file in version.files
        if file.name.startswith("Fonts/")
    ]


def _about(order: MediaOrder, carried: Sequence[Carried], name: str) -> list[MediumFile]:
    """What tells loaders and people which medium this is."""
    lines = [f"{order.label}: boot image of netboot, medium {name}"]
    for path, each in zip(_wims(carried), carried, strict=True):
        lines.append(f"{each.version.label} ({each.version.architecture})")
        lines.append(f"  {path} has SHA-256 {_digest(each.version, 'boot.wim')[7:]}")
    if order.expires:
        lines.append(f"Meant to be used until {order.expires}.")
    text = "\r\n".join(lines) + "\r\n"
    return [
        MediumFile(f"{FOLDER}/{name}", data=name.encode()),
        MediumFile(f"{FOLDER}/README.txt", data=text.encode()),
    ]


def _moment(carried: Sequence[Carried]) -> int:
    return int(max(each.version.built_at for each in carried))


def _digest(version: ContentVersion, name: str) -> str:
    file = version.file(name)
    return file.digest if file else ""


def _backslashed(path: str) -> str:
    return "\\" + path.replace("/", "\\")
