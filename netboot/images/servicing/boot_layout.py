"""The paths of boot files in a Windows PE image, and the names by which clients request them.

Paths are in lower case with forward slashes, since Windows ignores case. Sources: the extraction
list of wimboot (src/efifile.c, src/main.c) and Microsoft's "Configure a PXE server to load
Windows PE".
"""

import re
from collections.abc import Collection, Mapping
from types import MappingProxyType

from netboot.formats.inf.lexer import MAX_BYTES
from netboot.images.architecture import Architecture
from netboot.images.boot_image.description import BootFile, MissingBootFile
from netboot.images.boot_image.secrets import SCAN_LIMIT, is_scanned

SYSTEM32 = "/windows/system32"
HIVE_FOLDER = f"{SYSTEM32}/config"
INF_FOLDERS = ("/windows/inf/", f"{SYSTEM32}/driverstore/filerepository/")
PROGRAM_FOLDERS = (f"{SYSTEM32}/drivers/", f"{SYSTEM32}/driverstore/filerepository/")
HIVES = ("SYSTEM", "SOFTWARE", "DEFAULT")
STARTNET = f"{SYSTEM32}/startnet.cmd"
WINPESHL = f"{SYSTEM32}/winpeshl.ini"
IMAGE_INI = f"{SYSTEM32}/nb-image.ini"
KERNEL = f"{SYSTEM32}/ntoskrnl.exe"
BACKGROUND = f"{SYSTEM32}/winpe.jpg"
PE_PROGRAMS = (f"{SYSTEM32}/winpeshl.exe", f"{SYSTEM32}/wpeinit.exe")
# Windows PE starts the first of these that exists, if there is no winpeshl.ini.
SETUP_PROGRAMS = ("/$windows.~bt/sources/setup.exe", "/setup.exe")
# The BCD on Microsoft's media names winload in System32\boot, their PXE instructions in System32.
# Ours names one that the image has: bootmgfw.efi stops with 0xc000000f if it is missing.
LOADERS = tuple(
    f"{folder}/winload{extension}"
    for extension in (".exe", ".efi")
    for folder in (f"{SYSTEM32}/boot", SYSTEM32)
)

CANDIDATES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "vmlinuz": ("/windows/boot/labpe/vmlinuz",),
        "initrd.gz": ("/windows/boot/labpe/initrd.gz",),
        "bootmgfw.efi": ("/windows/boot/efi/bootmgfw.efi",),
        # Signed by "Windows UEFI CA 2023": images of the ADK 10.1.26100.2454 and later have it.
        "bootmgfw_EX.efi": ("/windows/boot/efi_ex/bootmgfw_ex.efi",),
        "boot.stl": ("/windows/boot/efi/boot.stl",),
        "pxeboot.n12": ("/windows/boot/pxe/pxeboot.n12",),
        "pxeboot.com": ("/windows/boot/pxe/pxeboot.com",),
        "abortpxe.com": ("/windows/boot/pxe/abortpxe.com",),
        "bootmgr.exe": ("/windows/boot/pxe/bootmgr.exe",),
        "boot.sdi": (
            "/windows/boot/dvd/pcat/boot.sdi",
            "/windows/boot/dvd/efi/boot.sdi",
            "/sms/boot/boot.sdi",  # images that ConfigMgr made
        ),
    }
)
"""The names that clients request, with possible paths, best first."""

FONTS = re.compile(r"/windows/boot/fonts/([a-z0-9_-]+\.ttf)")

LINUX_FILES = ("vmlinuz", "initrd.gz")
UEFI_MANAGER = "bootmgfw.efi"
UEFI_FILES = (UEFI_MANAGER,)
BIOS_FILES = ("pxeboot.n12", "bootmgr.exe")
BIOS_MANAGER = "bootmgr.exe"
"""All that wimboot starts on a BIOS: iPXE takes the place of pxeboot.n12 (seen: wimboot 2.9.0)."""

_FROM_MEDIA = "Copy it from the installation media or the ADK of the same Windows release"
_SOURCES = MappingProxyType(
    {
        "bootmgfw.efi": f"{_FROM_MEDIA} (Windows\\Boot\\EFI).",
        "pxeboot.n12": f"{_FROM_MEDIA} (Windows\\Boot\\PXE).",
        "bootmgr.exe": f"{_FROM_MEDIA} (Windows\\Boot\\PXE).",
        "boot.sdi": f"{_FROM_MEDIA} (boot\\boot.sdi) and set it in the image's properties.",
    }
)

_COLLECTED = frozenset(
    {
        *(path for paths in CANDIDATES.values() for path in paths),
        *(STARTNET, WINPESHL, IMAGE_INI, KERNEL),
        *(f"{HIVE_FOLDER}/{hive.lower()}" for hive in HIVES),
        *LOADERS,
    }
)
_COLLECT_LIMIT = 64 << 20


def is_collected(path: str, size: int) -> bool:
    """Whether the import extracts this file and reads it."""
    lowered = path.lower()
    if lowered in _COLLECTED:
        return 0 < size <= _COLLECT_LIMIT
    if is_inbox_inf(lowered):
        return 0 < size <= MAX_BYTES
    return 0 < size <= SCAN_LIMIT and is_scanned(path)


def is_inbox_inf(path: str) -> bool:
    """Whether this is an INF of Windows PE itself, not of a driver that netboot added."""
    lowered = path.lower()
    return lowered.endswith(".inf") and lowered.startswith(INF_FOLDERS)


def client_name(path: str) -> str:
    """The name by which clients request the boot file at this path; "" for other files."""
    lowered = path.lower()
    if font := FONTS.fullmatch(lowered):
        return f"Fonts/{font[1]}"
    return next((name for name, paths in CANDIDATES.items() if lowered in paths), "")


def chains(names: Collection[str]) -> tuple[str, ...]:
    """The boot methods that these files allow, best first."""
    found = []
    if all(name in names for name in LINUX_FILES):
        found.append("linux")
    if "boot.sdi" not in names:
        return tuple(found)
    has_uefi = all(name in names for name in UEFI_FILES)
    if has_uefi or all(name in names for name in BIOS_FILES):
        found.append("native")
    # wimboot starts Microsoft's boot manager, no substitute
    if (has_uefi or BIOS_MANAGER in names) and "linux" not in found:
        found.append("wimboot")
    return tuple(found)


def needed_for(chain: str, firmware: str) -> tuple[str, ...]:
    """The files of an image that a chain needs on firmware of a kind (`bios`, `uefi`)."""
    if chain == "linux":
        return LINUX_FILES
    if chain == "wimboot" and firmware == "bios":
        return (BIOS_MANAGER, "boot.sdi")
    return (*(UEFI_FILES if firmware == "uefi" else BIOS_FILES), "boot.sdi")


def missing(boot_files: tuple[BootFile, ...], architecture: Architecture) -> list[MissingBootFile]:
    """The files that Microsoft's chains lack, and where to get them."""
    names = {file.name for file in boot_files}
    needs = [(name, "UEFI machines") for name in UEFI_FILES]
    if architecture is not Architecture.ARM64:
        needs += [("pxeboot.n12", "BIOS machines that start without wimboot")]
        needs += [(BIOS_MANAGER, "BIOS machines")]
    needs.append(("boot.sdi", "Windows Boot Manager"))
    return [
        MissingBootFile(name, needed_for, _SOURCES[name])
        for name, needed_for in needs
        if name not in names
    ]
