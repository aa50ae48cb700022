"""What a site can do only with other packages of the system, and which of them are missing here.

The site starts without any of them. A use that lacks one has a message of its own.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LIBRARIES = ("/usr/lib/*-linux-gnu", "/usr/lib64", "/usr/lib")


@dataclass(frozen=True, slots=True)
class Extra:
    """`what` the site can do if it has every one of `packages`.

    A package is there if its file is: a program by its name, a library by its `.so` name, other
    files by their path.
    """

    what: str
    packages: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Lack:
    """What cannot be done here, and the packages that are missing for it."""

    what: str
    packages: tuple[str, ...]


TEST_MACHINES = "test machines"
LAB_PE = "building the Lab PE (it needs a Debian mirror, too)"

EXTRAS = (
    Extra(
        "boot images: import and build",
        (("wimtools", "libwim.so.15"), ("libhivex0", "libhivex.so.0")),
    ),
    Extra("opening untrusted files", (("libseccomp2", "libseccomp.so.2"),)),
    Extra("drivers in CAB files", (("cabextract", "cabextract"),)),
    Extra("drivers in 7z files and self-extracting archives", (("p7zip-full", "7z"),)),
    Extra(
        "booting 32-bit UEFI machines",
        (
            ("grub-common", "grub-mkimage"),
            ("grub-efi-ia32-bin", "/usr/lib/grub/i386-efi/kernel.img"),
        ),
    ),
    Extra(
        "boot media",
        (
            ("grub-common", "grub-mkimage"),
            ("grub-pc-bin", "/usr/lib/grub/i386-pc/kernel.img"),
            ("grub-efi-amd64-bin", "/usr/lib/grub/x86_64-efi/kernel.img"),
            ("xorriso", "xorriso"),
            ("mtools", "mcopy"),
        ),
    ),
    Extra("media as qcow2 or VHDX", (("qemu-utils", "qemu-img"),)),
    Extra("names of devices", (("pci.ids", "/usr/share/misc/pci.ids"),)),
    Extra(
        TEST_MACHINES,
        (
            ("qemu-system-x86", "qemu-system-x86_64"),
            ("ipxe-qemu", "/usr/lib/ipxe/qemu/efi-e1000.rom"),
            ("seabios", "/usr/share/seabios/bios-256k.bin"),
            ("ovmf", "/usr/share/OVMF/OVMF_CODE_4M.fd"),
            ("ovmf-ia32", "/usr/share/OVMF/OVMF32_CODE_4M.secboot.fd"),
            ("dnsmasq-base", "dnsmasq"),
            ("iproute2", "ip"),
        ),
    ),
    Extra(
        LAB_PE,
        (
            ("gcc", "gcc"),
            ("binutils", "objcopy"),
            ("gnu-efi", "/usr/include/efi/efi.h"),
            ("grub-common", "grub-mkimage"),
            ("grub-pc-bin", "/usr/lib/grub/i386-pc/kernel.img"),
            ("wimtools", "libwim.so.15"),
        ),
    ),
)


def list_missing(root: Path = Path("/")) -> tuple[Lack, ...]:
    """Each extra that this system lacks packages for; `root` is the system's root folder."""
    found = (
        Lack(extra.what, tuple(p for p, file in extra.packages if not _is_there(root, file)))
        for extra in EXTRAS
    )
    return tuple(lack for lack in found if lack.packages)


def missing_for(what: str, root: Path = Path("/")) -> tuple[str, ...]:
    """The packages that one of the extras lacks here."""
    return next((lack.packages for lack in list_missing(root) if lack.what == what), ())


def _is_there(root: Path, file: str) -> bool:
    if file.startswith("/"):
        return (root / file[1:]).exists()
    if ".so." in file:
        return any(True for _ in _libraries(root, file))
    places = ":".join(str(root / place[1:]) for place in _PATH.split(":"))
    return shutil.which(file, path=places) is not None


def _libraries(root: Path, name: str) -> Iterator[Path]:
    for place in _LIBRARIES:
        yield from root.glob(f"{place[1:]}/{name}")
