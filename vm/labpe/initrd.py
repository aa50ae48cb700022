"""The Lab PE's first file system: a static shell, wimlib-imagex with its libraries, our scripts."""

import gzip
import posixpath
from collections.abc import Mapping
from pathlib import Path

from netboot.errors import OperatorFault
from netboot.images.architecture import Architecture
from vm.labpe import elf
from vm.labpe.cpio import CpioArchive

GUEST = Path(__file__).with_name("guest")

_LIBRARY_FOLDERS = {
    Architecture.X64: ("lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu"),
    Architecture.X86: ("lib/i386-linux-gnu", "usr/lib/i386-linux-gnu"),
}
# Where the programs expect their loader (ELF PT_INTERP).
_LOADER = {
    Architecture.X64: "lib64/ld-linux-x86-64.so.2",
    Architecture.X86: "lib/ld-linux.so.2",
}


def is_wanted(path: str) -> bool:
    """Whether the initrd may need a file of the userland packages."""
    folders = [folder for both in _LIBRARY_FOLDERS.values() for folder in both]
    is_library = posixpath.dirname(path) in folders and "/libicudata." not in path
    return is_library or posixpath.basename(path) in {"busybox", "wimlib-imagex"}


def build_initrd(files: Mapping[str, bytes], architecture: Architecture) -> bytes:
    """The compressed archive from the files of Debian packages. Raises OperatorFault."""
    archive = CpioArchive()
    for folder in ("dev", "proc", "sys", "run", "tmp", "etc"):
        archive.add_folder(folder)
    archive.add_character_device("dev/console", 5, 1)
    archive.add_character_device("dev/null", 1, 3)
    archive.add_file("bin/busybox", _find(files, "bin/busybox", "usr/bin/busybox"), mode=0o755)
    archive.add_link("bin/sh", "busybox")
    program = _find(files, "usr/bin/wimlib-imagex", "bin/wimlib-imagex")
    archive.add_file("bin/wimlib-imagex", program, mode=0o755)
    for name, data in sorted(_libraries(files, program, architecture).items()):
        archive.add_file(f"lib/{name}", data, mode=0o755)
    loader = _LOADER[architecture]
    places = (f"{each}/{posixpath.basename(loader)}" for each in _LIBRARY_FOLDERS[architecture])
    archive.add_file(loader, _find(files, *places), mode=0o755)
    archive.add_file("init", (GUEST / "init").read_bytes(), mode=0o755)
    for path in sorted(GUEST.iterdir()):
        if path.suffix in {".sh", ".awk"}:
            archive.add_file(f"labpe/{path.name}", path.read_bytes(), mode=0o755)
    return _padded(gzip.compress(bytes(archive), compresslevel=9, mtime=0))


def _padded(data: bytes) -> bytes:
    """To a multiple of four bytes.

    UEFI loaders append the next archive directly, and the kernel expects it at such an offset
    ("invalid magic at start of compressed archive").
    """
    return data + bytes(-len(data) % 4)


def _libraries(
    files: Mapping[str, bytes], program: bytes, architecture: Architecture
) -> dict[str, bytes]:
    """The libraries that `program` needs, and those that they need."""
    found: dict[str, bytes] = {}
    waiting = list(elf.needed_libraries(program))
    while waiting:
        name = waiting.pop()
        if name in found or name.startswith("ld-linux"):
            continue
        if name.startswith("libicudata.so."):
            symbol = f"icudt{name.rpartition('.')[2]}_dat"
            found[name] = elf.data_library(name, symbol, wide=architecture is Architecture.X64)
            continue
        places = (f"{folder}/{name}" for folder in _LIBRARY_FOLDERS[architecture])
        found[name] = _find(files, *places)
        waiting += elf.needed_libraries(found[name])
    return found


def _find(files: Mapping[str, bytes], *places: str) -> bytes:
    for place in places:
        if place in files:
            return files[place]
    raise OperatorFault(
        f"the Debian packages do not contain {places[0]}",
        hint="The Lab PE needs the packages of Debian 12; see vm/labpe/packages.py.",
    )
