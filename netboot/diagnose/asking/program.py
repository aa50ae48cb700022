"""The platform of a boot program, from its first bytes: firmware would only say "failed"."""

import re
import struct
from typing import Final

_MACHINES: Final = {0x014C: "x86", 0x8664: "x64", 0xAA64: "arm64", 0x01C4: "arm32"}
_NAMES: Final = {
    "bios": "a program for BIOS",
    "x64": "a program for 64-bit UEFI",
    "x86": "a program for 32-bit UEFI",
    "arm64": "a program for ARM64 UEFI",
    "arm32": "a program for ARM32 UEFI",
    "script": "an iPXE script",
    "page": "an HTML page",
    "empty": "an empty file",
}


_IPXE: Final = re.compile(r"(?:undionly|ipxe|snponly|snp)[^/]*\.(?:k*pxe|efi)$", re.IGNORECASE)


# A stock iPXE has these words in its EFI form; the BIOS form is packed. A build with a script of
# its own runs that, and asks for no boot file.
_PROMPT: Final = b"for the iPXE command line"
_OWN_SCRIPT: Final = re.compile(rb"#!ipxe\r?\n[\t\n\r -~]{8}")


def is_ipxe(name: str, data: bytes = b"") -> bool:
    """Whether a boot program is iPXE that sends its own DHCP requests, by its name or content."""
    if _PROMPT in data:
        return not _OWN_SCRIPT.search(data)
    return bool(_IPXE.search(name.partition("?")[0]))


def made_for(data: bytes) -> str:
    """`x64`, `x86`, … for UEFI programs, `script`, `page`, `empty`; anything else is `bios`."""
    if not data:
        return "empty"
    if data.startswith(b"#!ipxe"):
        return "script"
    if data[:64].lstrip().lower().startswith((b"<!doctype", b"<html")):
        return "page"
    if data[:2] != b"MZ" or len(data) < 64:
        return "bios"
    offset = struct.unpack_from("<I", data, 60)[0]
    if data[offset : offset + 4] != b"PE\0\0" or len(data) < offset + 6:
        return "bios"
    machine = struct.unpack_from("<H", data, offset + 4)[0]
    return _MACHINES.get(machine, f"machine {machine:#06x}")


def name_of(kind: str) -> str:
    return _NAMES.get(kind, f"a UEFI program for {kind}")
