r"""Surrogate boot managers: the Lab PE has them where Windows PE has Microsoft's.

A server takes them out of the WIM and serves them like Microsoft's. They request files as those do
(see `surrogates/`), so a boot with them tests the server's extraction, boot configuration, file
names and image.

    \Windows\Boot\EFI\bootmgfw.efi    a UEFI program in C, made with gnu-efi
    \Windows\Boot\PXE\pxeboot.n12     GRUB for PXE with a module of ours; it runs
    \Windows\Boot\PXE\bootmgr.exe     ... this script
"""

import shutil
import struct
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from netboot.errors import MissingTool, OperatorFault
from netboot.formats.sdi import build_sdi
from netboot.images.architecture import Architecture
from vm.tools import require_tool

SOURCES = Path(__file__).with_name("surrogates")
GRUB = Path("/usr/lib/grub/i386-pc")
GRUB_MODULES = (
    *("pxe", "tftp", "net", "normal", "linux", "echo", "test", "serial", "terminal", "sleep"),
    *("minicmd", "procfs", "hashsum", "gcry_sha256", "halt", "bootmgr"),
)
SDI_VOLUME = b"Lab PE: takes the place of a volume.\r\n".ljust(65536, b"\0")

_MODULE_FLAGS = (
    *("-m32", "-mregparm=3", "-mrtd", "-ffreestanding", "-fno-pic", "-fno-pie", "-fno-common"),
    *("-fno-stack-protector", "-fno-asynchronous-unwind-tables", "-fno-strict-aliasing"),
    *("-mno-sse", "-mno-mmx", "-mno-red-zone", "-Os"),
)
_EFI_FLAGS = (
    *("-ffreestanding", "-fpic", "-fshort-wchar", "-fno-stack-protector", "-fno-strict-aliasing"),
    *("-fno-merge-constants", "-O1", "-I/usr/include/efi"),
)
_WARNINGS = ("-Wall", "-Wextra", "-Werror")
# What of an ELF library goes into a UEFI program (gnu-efi's README).
_EFI_SECTIONS = (
    *(".text", ".sdata", ".data", ".dynamic", ".dynsym", ".rel", ".rela", ".rel.*", ".rela.*"),
    ".reloc",
)


@dataclass(frozen=True, slots=True)
class _Efi:
    """gnu-efi's name of an architecture, and how to compile for it."""

    name: str
    libraries: Path
    emulation: str
    flags: tuple[str, ...]


_EFI = {
    Architecture.X64: _Efi(
        "x86_64",
        Path("/usr/lib"),
        "elf_x86_64",
        ("-m64", "-mno-red-zone", "-maccumulate-outgoing-args", "-DGNU_EFI_USE_MS_ABI"),
    ),
    Architecture.X86: _Efi("ia32", Path("/usr/lib32"), "elf_i386", ("-m32",)),
}


def boot_files(architecture: Architecture) -> dict[str, bytes]:
    """The files by their path in the image, the same bytes each time.

    Raises MissingTool, OperatorFault.
    """
    sdi = build_sdi(SDI_VOLUME)
    with tempfile.TemporaryDirectory(prefix="labpe-boot-") as work:
        return {
            "Windows/Boot/EFI/bootmgfw.efi": _efi_program(architecture, Path(work)),
            "Windows/Boot/PXE/pxeboot.n12": _pxe_program(Path(work)),
            "Windows/Boot/PXE/bootmgr.exe": (SOURCES / "bootmgr.cfg").read_bytes(),
            "Windows/Boot/DVD/PCAT/boot.sdi": sdi,
            "Windows/Boot/DVD/EFI/boot.sdi": sdi,
            "Windows/System32/boot/winload.exe": b"Lab PE: takes the place of winload.exe.\r\n",
            "Windows/System32/boot/winload.efi": b"Lab PE: takes the place of winload.efi.\r\n",
        }


def _efi_program(architecture: Architecture, work: Path) -> bytes:
    efi = _EFI[architecture]
    start = efi.libraries / f"crt0-efi-{efi.name}.o"
    if not start.is_file():
        raise MissingTool(
            f"gnu-efi for {efi.name} is not installed", hint="Install it: apt-get install gnu-efi"
        )
    compiled, linked, program = work / "bootmgfw.o", work / "bootmgfw.so", work / "bootmgfw.efi"
    includes = f"-I/usr/include/efi/{efi.name}"
    source = SOURCES / "bootmgfw.c"
    _run("gcc", [*efi.flags, *_EFI_FLAGS, *_WARNINGS, includes, "-c", source, "-o", compiled])
    _run(
        "ld",
        [
            *("-m", efi.emulation, "-nostdlib", "-znocombreloc", "-znoexecstack", "-shared"),
            *("-Bsymbolic", "-T", efi.libraries / f"elf_{efi.name}_efi.lds", start, compiled),
            *("-L", efi.libraries, "-lefi", "-lgnuefi", "-o", linked),
        ],
    )
    sections = [word for name in _EFI_SECTIONS for word in ("-j", name)]
    _run("objcopy", [*sections, f"--target=efi-app-{efi.name}", linked, program])
    return without_time(program.read_bytes())


def without_time(program: bytes) -> bytes:
    """A PE file without the time in its COFF header (offset 8 after the signature)."""
    (header,) = struct.unpack_from("<I", program, 0x3C)
    fixed = bytearray(program)
    struct.pack_into("<I", fixed, header + 8, 0)
    return bytes(fixed)


def _pxe_program(work: Path) -> bytes:
    """GRUB's modules and ours, with the script that GRUB runs first."""
    if not (GRUB / "moddep.lst").is_file():
        raise MissingTool(
            "GRUB for BIOS machines is not installed",
            hint="Install it: apt-get install grub-pc-bin",
        )
    modules = work / "grub"
    shutil.copytree(GRUB, modules, ignore=shutil.ignore_patterns("moddep.lst"))
    dependencies = (GRUB / "moddep.lst").read_text() + "bootmgr: pxe procfs net\n"
    (modules / "moddep.lst").write_text(dependencies)
    compiled, program = modules / "bootmgr.mod", work / "pxeboot.n12"
    _run("gcc", [*_MODULE_FLAGS, *_WARNINGS, "-c", SOURCES / "bootmgr.c", "-o", compiled])
    _run("strip", ["--strip-unneeded", "--keep-symbol=grub_mod_init", "-R", ".comment", compiled])
    options: list[str | Path] = ["-d", modules, "-O", "i386-pc-pxe", "-o", program]
    options += ["-c", SOURCES / "pxeboot.cfg", "-p", "/grub"]
    _run("grub-mkimage", [*options, *GRUB_MODULES])
    return program.read_bytes()


_PACKAGE = {"gcc": "gcc", "grub-mkimage": "grub-common"}


def _run(tool: str, arguments: Sequence[str | Path]) -> None:
    argv = [require_tool(tool, package=_PACKAGE.get(tool, "binutils")), *map(str, arguments)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OperatorFault(
            f"{tool} could not build a boot manager of the Lab PE: {done.stderr.strip()[-400:]}",
            hint="The Lab PE needs the gcc, binutils, gnu-efi and GRUB of Debian 12.",
        )
