"""The Lab PE's first file system: a static shell, wimlib-imagex with its libraries, our scripts."""

import gzip
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


def build_initrd(root: Path, architecture: Architecture) -> bytes:
    """The compressed archive, from Debian packages unpacked in `root`.

    Raises:
        OperatorFault: a program or a library is not where the packages should have put it.
    """
    archive = CpioArchive()
    for folder in ("dev", "proc", "sys", "run", "tmp", "etc"):
        archive.add_folder(folder)
    archive.add_character_device("dev/console", 5, 1)
    archive.add_character_device("dev/null", 1, 3)
    archive.add_file("bin/busybox", _find(root, "bin/busybox", "usr/bin/busybox"), mode=0o755)
    archive.add_link("bin/sh", "busybox")
    program = _find(root, "usr/bin/wimlib-imagex", "bin/wimlib-imagex")
    archive.add_file("bin/wimlib-imagex", program, mode=0o755)
    for name, data in sorted(_libraries(root, program, architecture).items()):
        archive.add_file(f"lib/{name}", data, mode=0o755)
    loader = Path(_LOADER[architecture]).name
    found = _find(root, *(f"{folder}/{loader}" for folder in _LIBRARY_FOLDERS[architecture]))
    archive.add_file(_LOADER[architecture], found, mode=0o755)
    archive.add_file("init", (GUEST / "init").read_bytes(), mode=0o755)
    for path in sorted(GUEST.iterdir()):
        if path.suffix in {".sh", ".awk"}:
            archive.add_file(f"labpe/{path.name}", path.read_bytes(), mode=0o755)
    return _padded(gzip.compress(bytes(archive), compresslevel=9, mtime=0))


def _padded(data: bytes) -> bytes:
    """To a multiple of four bytes.

    UEFI loaders put the next archive right behind, and the kernel takes it nowhere else
    ("invalid magic at start of compressed archive").
    """
    return data + bytes(-len(data) % 4)


def _libraries(root: Path, program: bytes, architecture: Architecture) -> dict[str, bytes]:
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
        found[name] = _find(
            root, *(f"{folder}/{name}" for folder in _LIBRARY_FOLDERS[architecture])
        )
        waiting += elf.needed_libraries(found[name])
    return found


def _find(root: Path, *places: str) -> bytes:
    for place in places:
        path = root / place
        if path.is_file():
            return path.read_bytes()
    raise OperatorFault(
        f"the Debian packages hold no {places[0]}",
        hint="The Lab PE is written for Debian 12's packages; see vm/labpe/packages.py.",
    )
