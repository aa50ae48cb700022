r"""The layout of a medium: its files, and what starts it on each kind of firmware.

    Lab PE       GRUB everywhere; UEFI finds it as \EFI\BOOT\BOOT….EFI
    Windows PE   UEFI: bootmgfw.efi of the version, with a boot configuration for media
                 BIOS: bootmgr and, on a disc, etfsboot.com from the WIM; on USB sticks and disks
                 GRUB starts bootmgr, since Microsoft's tools write boot sectors on Windows only

On an ISO, UEFI firmware reads a FAT image. A partition table names it too, so that the ISO also
works on a USB stick with UEFI, and with BIOS if GRUB starts it. The FAT image of the Lab PE has
only GRUB. Windows' boot manager reads all files from "the device that it was loaded from", so its
FAT image has the WIM too, and an ISO that also starts with BIOS has the WIM twice.

References: UEFI specification §3.5.1.1 (removable media); El Torito 1.0; Microsoft's "WinPE:
Create bootable media". No Windows PE was tried with these media.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from netboot.formats.bcd import BootConfiguration, OtherImage, write_bcd
from netboot.images.architecture import Architecture
from netboot.images.boot_image.uefi_loader import LOADER
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
from netboot.images.servicing.boot_language import DEFAULT_LOCALE
from netboot.images.versions.content_version import ContentVersion

MENU_SECONDS = 10
EFI_NAMES = {
    Architecture.X64: "EFI/BOOT/BOOTX64.EFI",
    Architecture.X86: "EFI/BOOT/BOOTIA32.EFI",
    Architecture.ARM64: "EFI/BOOT/BOOTAA64.EFI",
}
STORE_FOLDER = "EFI/Microsoft/Boot"
GRUB_EFI = {Architecture.X64: "x86_64-efi", Architecture.X86: "i386-efi"}
BIOS_PARTS = ("/windows/boot/pcat/bootmgr", "/windows/boot/dvd/pcat/etfsboot.com")
"""What a medium for BIOS needs from the WIM in addition: no network boot needs these."""

LOADERS = (r"\Windows\System32\boot\winload.exe", r"\Windows\System32\boot\winload.efi")
"""Windows' loaders, if the import found none: the paths on Microsoft's media."""


class BiosStart(StrEnum):
    """What a BIOS loads first."""

    GRUB = "grub"
    ETFSBOOT = "etfsboot"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class MediumFile:
    """A file of a medium: the blob `digest`, or without a digest the bytes `data`."""

    path: str
    digest: str = ""
    data: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """A version for a medium, with what only its site knows.

    `arguments` are for the kernel of a Lab PE; `loaders` are the paths of winload.exe and
    winload.efi in a Windows PE; `parts` are the `BIOS_PARTS` of its WIM, by file name.
    `site_authority` is the site's UEFI loader setting (netboot.images.boot_image.uefi_loader).
    """

    version: ContentVersion
    arguments: str = ""
    loaders: tuple[str, str] = LOADERS
    parts: Mapping[str, bytes] | None = None
    site_authority: str = ""

    @property
    def uefi_loader(self) -> str:
        """The file of the version that UEFI machines start, or ""."""
        return self.version.uefi_loader(site=self.site_authority)

    def part(self, name: str) -> bytes:
        return (self.parts or {}).get(name, b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class MediumPlan:
    """Everything that determines the bytes of a medium.

    `files` are for the medium's own file system, `firmware_files` for the FAT image of an ISO.
    `grub_efi` are GRUB's platforms by the path of the loader; `early` is the configuration in
    each GRUB. `at` is the time of all files, in epoch seconds.
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
    """The digests of the WIMs by path: the builder reads them back."""

    @property
    def all_files(self) -> tuple[MediumFile, ...]:
        return (*self.files, *self.firmware_files)


def plan_medium(order: MediaOrder, carried: Sequence[Carried]) -> MediumPlan:
    """Lay out a medium. Raises InvalidInput if it is not possible."""
    ordered = sorted(carried, key=lambda each: each.version.architecture is Architecture.X86)
    chain = check_order(order, [each.version for each in ordered])
    versions = [each.version for each in ordered]
    if chain == LINUX:
        return _linux(order, ordered, identity(order, versions))
    loaders = [each.uefi_loader for each in ordered]
    return _native(order, ordered, identity(order, versions, loaders))


def wim_path(place: int) -> str:
    return "sources/boot-x86.wim" if place else "sources/boot.wim"


def _linux(order: MediaOrder, carried: Sequence[Carried], name: str) -> MediumPlan:
    entries = [
        MenuEntry(version=each.version, wim_path=wim_path(place), arguments=each.arguments)
        for place, each in enumerate(carried)
    ]
    text = menu(entries, expires=order.expires, password_hash=order.password_hash)
    files = [*_about(order, carried, name), MediumFile(f"{FOLDER}/grub.cfg", data=text.encode())]
    for entry in entries:
        files += _kernel_files(entry)
    # 32-bit UEFI starts kernels of either width, 64-bit UEFI only 64-bit ones.
    has_x64 = any(each.version.architecture is Architecture.X64 for each in carried)
    firmware = (Architecture.X64, Architecture.X86) if has_x64 else (Architecture.X86,)
    return MediumPlan(
        order=order,
        identity=name,
        at=_moment(carried),
        files=tuple(files),
        grub_efi={EFI_NAMES[width]: GRUB_EFI[width] for width in firmware},
        early=early_config(name),
        wims=_wims(carried),
    )


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
    shared = [MediumFile("boot/boot.sdi", _digest(carried[0].version, "boot.sdi"))]
    shared += [MediumFile(path, digest) for path, digest in _wims(carried).items()]
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
        loader = MediumFile("boot/etfsboot.com", data=etfsboot)
        return replace(
            plan,
            files=(*about, *bios, *shared, loader) if starts else tuple(about),
            firmware_files=(*about, *uefi, *shared),
            bios=BiosStart.ETFSBOOT if starts else BiosStart.NONE,
        )
    return replace(
        plan,
        files=(*about, *uefi, *bios, *shared),
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
    return [
        *loaders,
        MediumFile(f"{STORE_FOLDER}/BCD", data=data),
        *_companions(carried[0]),
        *_fonts(carried[0].version, "EFI/Microsoft/Boot/Fonts"),
        *_language_files(carried, is_uefi=True),
    ]


def _companions(carried: Carried) -> list[MediumFile]:
    """The revocation list, boot.stl: Windows' boot manager looks for it near its store and itself.

    By network it is in the version under every name that it was seen to request.
    """
    version = carried.version
    folder = EFI_NAMES[version.architecture].rpartition("/")[0]
    return [
        MediumFile(f"{at}/boot.stl", file.digest)
        for file in version.files
        if file.name.rpartition("/")[2].lower() == "boot.stl"
        for at in (STORE_FOLDER, folder)
    ]


def _native_bios(order: MediaOrder, carried: Sequence[Carried]) -> list[MediumFile]:
    data = media_bcd(carried, is_uefi=False, expires=order.expires)
    return [
        MediumFile("bootmgr", data=carried[0].part("bootmgr")),
        MediumFile("boot/BCD", data=data),
        *_fonts(carried[0].version, "boot/Fonts"),
        *_language_files(carried, is_uefi=False),
    ]


def media_bcd(carried: Sequence[Carried], *, is_uefi: bool, expires: str = "") -> bytes:
    """The boot configuration of a medium, with all files on the device of the boot manager.

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
            locale=first.version.locale or DEFAULT_LOCALE,
            other=OtherImage(
                other.version.label + note,
                other.loaders[is_uefi],
                _backslashed(wim_path(1)),
            )
            if other
            else None,
        )
    )


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


def _language_files(carried: Sequence[Carried], *, is_uefi: bool) -> Iterator[MediumFile]:
    """The language files of each boot manager, in a folder next to it (bootmgr: in `boot`)."""
    for each in carried if is_uefi else carried[:1]:  # there is one bootmgr
        version = each.version
        managers = (each.uefi_loader, LOADER) if is_uefi else ("bootmgr.exe",)
        program = EFI_NAMES[version.architecture] if is_uefi else "boot/bootmgr.exe"
        folder, _, name = program.rpartition("/")
        held = [file.name for file in version.files if file.name.endswith(".mui")]
        for locale in dict.fromkeys(one.rpartition("/")[0] for one in held):
            names = (f"{locale}/{manager}.mui" for manager in managers)
            if digest := next((found for one in names if (found := _digest(version, one))), ""):
                yield MediumFile(f"{folder}/{locale}/{name}.mui", digest)


def _about(order: MediaOrder, carried: Sequence[Carried], name: str) -> list[MediumFile]:
    """The files by which loaders and people identify the medium."""
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
