r"""The `.wim` of the Lab PE: the files that Windows PE has, with our own content.

Two captures of one tree differ only in the header's GUID and in two timestamps of the XML. Both get
fixed values after the capture (WIM format: header offset 0x18 and 0x48).
"""

import hashlib
import os
import re
import struct
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path

from netboot.errors import OperatorFault
from netboot.formats.hive import Key, write_hive
from netboot.images.architecture import Architecture
from vm.labpe.boot_managers import boot_files
from vm.tools import require_tool

TIMESTAMP = 1_767_225_600  # 2026-01-01 00:00 UTC, in every file and in the XML
WINDOWS_BUILD = 19041  # servicing chooses its driver rules by this number
WIM_ARCHITECTURE = {Architecture.X64: 9, Architecture.X86: 0}

_SURROGATES = (
    *("winpeshl.exe", "wpeinit.exe", "drvload.exe", "cmd.exe", "wpeutil.exe"),
    *("curl.exe", "ping.exe"),
)
_AT_GUID = 0x18
_AT_XML = 0x48  # resource header: 7 bytes size, 1 byte flags, 8 bytes offset, 8 bytes size
_FILETIME_EPOCH = 116_444_736_000_000_000


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of an image; `kernel` and `initrd` are the files' bytes."""

    architecture: Architecture
    kernel: bytes
    initrd: bytes
    kernel_version: str


def image_name(architecture: Architecture) -> str:
    """The name inside the WIM and in the site's list of images."""
    return f"Lab PE {architecture.value}"


def write_image(parts: Parts, folder: Path, wim: Path) -> None:
    """Create the tree in the new `folder` and capture it as `wim`. Raises OperatorFault."""
    for name, data in _files(parts).items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    for made in (folder, *sorted(folder.rglob("*"))):
        os.utime(made, (TIMESTAMP, TIMESTAMP))
    _capture(parts, folder, wim)
    wim.write_bytes(normalised(wim.read_bytes()))


def _files(parts: Parts) -> dict[str, bytes]:
    system = "Windows/System32"
    surrogates = {
        f"{system}/{name}": f"Lab PE: init does the work of {name}.\r\n".encode()
        for name in _SURROGATES
    }
    return {
        "Windows/Boot/LabPE/vmlinuz": parts.kernel,
        "Windows/Boot/LabPE/initrd.gz": parts.initrd,
        f"{system}/ntoskrnl.exe": parts.kernel,
        f"{system}/startnet.cmd": b"wpeinit\r\n",
        f"{system}/config/SYSTEM": _hive("SYSTEM", _system_keys()),
        f"{system}/config/SOFTWARE": _hive("SOFTWARE", _software_keys(parts)),
        f"{system}/config/DEFAULT": _hive("DEFAULT", _default_keys()),
        "Windows/INF/labpe.txt": b"Lab PE: there are no inbox drivers.\r\n",
        "Windows/Temp/labpe.txt": b"Lab PE: keeps this folder.\r\n",
        **surrogates,
        **boot_files(parts.architecture),
    }


def _hive(name: str, root: Key) -> bytes:
    return write_hive("ROOT", root, file_name=name, at=TIMESTAMP)


def _system_keys() -> Key:
    root = Key()
    root.key("Select").set_number("Current", 1)
    root.key("Select").set_number("Default", 1)
    root.key("Setup").set_text("CmdLine", "winpeshl.exe")
    root.key("ControlSet001\\Services\\FBWF").set_number("WinPECacheThreshold", 32)
    root.key("ControlSet001\\Control").set_text("SystemBootDevice", "ramdisk(0)")
    root.key("ControlSet001\\Control\\MiniNT")
    return root


def _software_keys(parts: Parts) -> Key:
    root = Key()
    version = root.key("Microsoft\\Windows NT\\CurrentVersion")
    version.set_text("ProductName", f"Lab PE on Linux {parts.kernel_version}")
    version.set_text("CurrentBuild", str(WINDOWS_BUILD))
    version.set_text("EditionID", "WindowsPE")
    version.set_text("SystemRoot", "X:\\Windows")
    version.key("WinPE").set_text("InstRoot", "X:\\")
    return root


def _default_keys() -> Key:
    root = Key()
    root.key("Keyboard Layout\\Preload").set_text("1", "00000409")
    root.key("Control Panel\\International").set_text("Locale", "00000409")
    return root


def _capture(parts: Parts, folder: Path, wim: Path) -> None:
    name = image_name(parts.architecture)
    properties = {
        "DESCRIPTION": f"{name}: Linux {parts.kernel_version} instead of Windows PE",
        "WINDOWS/ARCH": str(WIM_ARCHITECTURE[parts.architecture]),
        "WINDOWS/PRODUCTNAME": "Lab PE",
        "WINDOWS/EDITIONID": "WindowsPE",
        "WINDOWS/INSTALLATIONTYPE": "WindowsPE",
        "WINDOWS/LANGUAGES/LANGUAGE": "en-US",
        "WINDOWS/LANGUAGES/DEFAULT": "en-US",
        "WINDOWS/SYSTEMROOT": "WINDOWS",
        "WINDOWS/VERSION/MAJOR": "10",
        "WINDOWS/VERSION/MINOR": "0",
        "WINDOWS/VERSION/BUILD": str(WINDOWS_BUILD),
    }
    argv = [
        require_tool("wimlib-imagex", package="wimtools"),
        *("capture", str(folder), str(wim), name),
        *("--boot", "--compress=LZX", "--threads=1", "--no-acls"),
        *(f"--image-property={key}={value}" for key, value in properties.items()),
    ]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OperatorFault(
            f"wimlib-imagex could not write {wim.name}: {done.stderr.strip()[-300:]}",
            hint="Check the free space of the disk.",
        )


def normalised(wim: bytes) -> bytes:
    """The same WIM, with a GUID from its content and fixed times in its XML."""
    packed, offset, size = struct.unpack_from("<QQQ", wim, _AT_XML)
    stored = packed & 0x00FF_FFFF_FFFF_FFFF
    if stored != size:
        raise ValueError("the XML of a WIM is never compressed")
    xml = wim[offset : offset + size].decode("utf-16-le")
    moment = TIMESTAMP * 10_000_000 + _FILETIME_EPOCH
    for part, value in (("HIGHPART", moment >> 32), ("LOWPART", moment & 0xFFFF_FFFF)):
        xml = re.sub(f"<{part}>0x[0-9A-F]{{8}}</{part}>", f"<{part}>0x{value:08X}</{part}>", xml)
    encoded = xml.encode("utf-16-le")
    if len(encoded) != size:
        raise ValueError("the XML of a WIM must keep its size")
    fixed = bytearray(wim)
    fixed[offset : offset + size] = encoded
    fixed[_AT_GUID : _AT_GUID + 16] = bytes(16)
    fixed[_AT_GUID : _AT_GUID + 16] = uuid.UUID(
        bytes=hashlib.sha256(fixed).digest()[:16], version=4
    ).bytes_le
    return bytes(fixed)
