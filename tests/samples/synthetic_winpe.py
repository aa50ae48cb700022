"""A Windows PE without Windows: the tree of a real one, with stand-ins, captured by wimlib-imagex.

Programs are small PE files of the right machine type; hives are ours; INF and font names are
those that real images hold. Nothing in it comes from Microsoft.
"""

import os
import random
import struct
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from netboot.formats.hive import Key, write_hive
from netboot.formats.sdi import build_sdi

MACHINES = {"x86": 0x014C, "x64": 0x8664, "arm64": 0xAA64}
CAPTURED_AT = 1_700_000_000


@dataclass(frozen=True, kw_only=True)
class SyntheticWinPe:
    """What to make. `files` adds or replaces (path -> bytes); None takes a file out."""

    architecture: str = "x64"
    build: str = "22621"
    compression: str = "LZX"
    name: str = "Microsoft Windows PE (stand-in)"
    bulk_files: int = 0
    bulk_bytes: int = 0
    files: Mapping[str, bytes | None] = field(default_factory=dict)
    options: tuple[str, ...] = ()

    def capture(self, folder: Path) -> Path:
        """Make the tree below `folder` and the WIM beside it; the WIM's path."""
        tree = folder / "tree"
        self.write_tree(tree)
        wim = folder / "boot.wim"
        capture(tree, wim, self.name, f"--compress={self.compression}", *self.options)
        return wim

    def write_tree(self, tree: Path) -> None:
        """Write all files, with one fixed time."""
        contents: dict[str, bytes | None] = {**self._contents(), **self.files}
        for path, data in contents.items():
            if data is not None:
                file = tree / path.lstrip("/")
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(data)
        self._write_bulk(tree / "Windows" / "WinSxS")
        for below, folders, names in os.walk(tree):
            for name in (*folders, *names):
                os.utime(Path(below) / name, (CAPTURED_AT, CAPTURED_AT))

    def _write_bulk(self, folder: Path) -> None:
        """Many files of compressible noise, as a real image has them."""
        if not self.bulk_files:
            return
        generator = random.Random(6)
        size = self.bulk_bytes // self.bulk_files
        for number in range(self.bulk_files):
            file = folder / f"{number % 97:02d}" / f"component-{number:05d}.dll"
            file.parent.mkdir(parents=True, exist_ok=True)
            noise = generator.randbytes(size * 5 // 9)
            file.write_bytes((noise + b"\0" * size)[:size])

    def _contents(self) -> dict[str, bytes]:
        system32 = "/Windows/System32"
        boot = "/Windows/Boot"
        kernel = pe_file(self.architecture, b"Lab PE stand-in: kernel " * 400)
        contents = {
            f"{system32}/ntoskrnl.exe": kernel,
            f"{system32}/kernel32.dll": self._program("kernel32"),  # tells wimlib the architecture
            f"{system32}/winpeshl.exe": self._program("winpeshl"),
            f"{system32}/wpeinit.exe": self._program("wpeinit"),
            f"{system32}/drvload.exe": self._program("drvload"),
            f"{system32}/cmd.exe": self._program("cmd"),
            f"{system32}/curl.exe": self._program("curl"),  # since Windows 10 1803
            f"{system32}/startnet.cmd": b"wpeinit\r\n",
            f"{system32}/winpe.jpg": b"\xff\xd8\xff\xe0 stand-in picture",
            f"{system32}/boot/winload.exe": self._program("winload.exe"),
            f"{system32}/boot/winload.efi": self._program("winload.efi"),
            f"{system32}/config/SYSTEM": system_hive(),
            f"{system32}/config/SOFTWARE": software_hive(self.build),
            f"{system32}/config/DEFAULT": default_hive(),
            f"{boot}/PXE/pxeboot.n12": b"stand-in: pxeboot.n12 " * 90,
            f"{boot}/PXE/bootmgr.exe": self._program("bootmgr"),
            f"{boot}/EFI/bootmgfw.efi": self._program("bootmgfw"),
            f"{boot}/DVD/PCAT/boot.sdi": build_sdi(b"stand-in volume ".ljust(65536, b"\0")),
            f"{boot}/Fonts/wgl4_boot.ttf": b"stand-in: a font " * 300,
            f"{boot}/Fonts/segoe_slboot.ttf": b"stand-in: another font " * 200,
            "/Windows/servicing/Packages/WinPE-WMI-Package~31bf3856ad364e35~amd64~~10.0.1.1.mum": (
                b"<assembly/>"
            ),
        }
        for name in ("netrtl64", "e1i65x64", "mshdc", "usbstor", "nete1g3e"):
            contents[f"/Windows/INF/{name}.inf"] = f"; stand-in {name}\r\n[Version]\r\n".encode()
        return contents

    def _program(self, name: str) -> bytes:
        return pe_file(self.architecture, f"Lab PE stand-in: {name} ".encode() * 60)


def capture(tree: Path, wim: Path, name: str, *options: str) -> None:
    """Run wimlib-imagex capture; the image becomes bootable."""
    command = ["wimlib-imagex", "capture", tree, wim, name, "--no-acls", "--boot", *options]
    subprocess.run(command, check=True, capture_output=True)


def imagex(*arguments: str | Path, check: bool = True) -> str:
    """Run wimlib-imagex, case-insensitively; what it prints."""
    done = subprocess.run(
        ["wimlib-imagex", *arguments],
        check=check,
        capture_output=True,
        text=True,
        env={**os.environ, "WIMLIB_IMAGEX_IGNORE_CASE": "1"},
    )
    return done.stdout


def pe_file(architecture: str, body: bytes) -> bytes:
    """A program's headers, nothing that runs: MZ, PE, COFF with the machine, optional header."""
    is_64 = architecture != "x86"
    optional = struct.pack("<H", 0x20B if is_64 else 0x10B).ljust(240 if is_64 else 224, b"\0")
    coff = struct.pack("<HHIIIHH", MACHINES[architecture], 1, 0, 0, 0, len(optional), 0x22)
    head = b"MZ".ljust(60, b"\0") + struct.pack("<I", 64)
    return (head + b"PE\0\0" + coff + optional).ljust(1024, b"\0") + body


def system_hive() -> bytes:
    """SYSTEM: control set 1 is the current one."""
    root = Key()
    root.key("Select").set_number("Current", 1)
    root.key("ControlSet001\\Control\\MiniNT")
    root.key("ControlSet001\\Services\\FBWF").set_number("WinPECacheThreshold", 32)
    root.key("Setup").set_text("CmdLine", "winpeshl.exe")
    return write_hive("ROOT", root, at=CAPTURED_AT)


def software_hive(build: str) -> bytes:
    """SOFTWARE: the version that wimlib and we read."""
    root = Key()
    version = root.key("Microsoft\\Windows NT\\CurrentVersion")
    version.set_text("CurrentVersion", "6.3")
    version.set_text("CurrentBuild", build)
    version.set_text("CurrentBuildNumber", build)
    version.set_text("EditionID", "WindowsPE")
    version.set_text("InstallationType", "WindowsPE")
    version.set_text("ProductName", "Windows PE stand-in")
    version.set_number("CurrentMajorVersionNumber", 10)
    version.set_number("CurrentMinorVersionNumber", 0)
    version.set_number("UBR", 1)
    return write_hive("ROOT", root, at=CAPTURED_AT)


def default_hive() -> bytes:
    """DEFAULT: an English keyboard."""
    root = Key()
    root.key("Keyboard Layout\\Preload").set_text("1", "00000409")
    root.key("Control Panel\\International").set_text("LocaleName", "en-US")
    return write_hive("ROOT", root, at=CAPTURED_AT)
