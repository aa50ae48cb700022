"""What PXE adds to DHCP: the client's firmware, and how it finds its boot server.

PXE 2.1 §2.2 (option 43 and port 4011), RFC 4578 (options 93, 94, 97) with its errata, IANA's
"Processor Architecture Types", RFC 3004 (option 77) as iPXE breaks it, and iPXE's own option 175.
"""

import struct
from enum import IntEnum
from functools import lru_cache
from typing import Final

from netboot.errors import ProtocolError
from netboot.protocols.dhcp import decode_options

BOOT_SERVER_PORT: Final = 4011

PXE_CLIENT: Final = b"PXEClient"
HTTP_CLIENT: Final = b"HTTPClient"

# Option 43, sub-option 6, bit 3: no discovery, take the file of this offer (PXE 2.1 table 2-1).
# The sub-options end with an END of their own: edk2 parses without it, some older ROMs do not.
USE_THIS_FILE: Final = b"\x06\x01\x08\xff"

BUS_ID: Final = 0xB1  # in option 175 (iPXE, src/include/ipxe/dhcp.h)
_BOOT_ITEM: Final = 71  # in option 43 (PXE 2.1 table 2-1)


class ArchitectureType(IntEnum):
    """Option 93 (IANA). RFC 4578 was printed with 7 and 9 exchanged; its errata correct that."""

    X86_BIOS = 0
    NEC_PC98 = 1
    ITANIUM_EFI = 2
    ALPHA = 3
    ARC_X86 = 4
    INTEL_LEAN = 5
    IA32_EFI = 6
    X64_EFI = 7
    XSCALE_EFI = 8
    EBC = 9
    ARM32_EFI = 10
    ARM64_EFI = 11
    POWERPC_OPEN_FIRMWARE = 12
    POWERPC_EPAPR = 13
    POWER_OPAL = 14
    IA32_HTTP = 15
    X64_HTTP = 16
    EBC_HTTP = 17
    ARM32_HTTP = 18
    ARM64_HTTP = 19
    X86_BIOS_HTTP = 20
    ARM32_UBOOT = 21
    ARM64_UBOOT = 22
    ARM32_UBOOT_HTTP = 23
    ARM64_UBOOT_HTTP = 24
    RISCV32_EFI = 25
    RISCV32_HTTP = 26
    RISCV64_EFI = 27
    RISCV64_HTTP = 28
    RISCV128_EFI = 29
    RISCV128_HTTP = 30
    S390_BASIC = 31
    S390_EXTENDED = 32
    MIPS32_EFI = 33
    MIPS64_EFI = 34
    SUNWAY32_EFI = 35
    SUNWAY64_EFI = 36
    LOONGARCH32_EFI = 37
    LOONGARCH32_HTTP = 38
    LOONGARCH64_EFI = 39
    LOONGARCH64_HTTP = 40
    ARM_RPI_BOOT = 41


def architecture_codes(value: bytes) -> tuple[int, ...]:
    """The codes of option 93, a list of 16-bit numbers; none if its length is odd or 0."""
    if not value or len(value) % 2:
        return ()
    return struct.unpack(f">{len(value) // 2}H", value)


def architecture_in_class(vendor_class: bytes) -> int | None:
    """The code in `PXEClient:Arch:00007:UNDI:003016`, for ROMs that send no option 93."""
    _, mark, rest = vendor_class.partition(b":Arch:")
    digits = rest[:5]
    return int(digits) if mark and len(digits) == 5 and digits.isdigit() else None


_AS_SENT: Final = struct.Struct("<xIHH2s6s")
_NEVER_SET: Final = frozenset({bytes(16), b"\xff" * 16})


@lru_cache(maxsize=4096)  # a machine asks several times in a boot
def machine_id(value: bytes) -> str:
    """Option 97 as the SMBIOS UUID that the manufacturer prints, or "".

    17 bytes, the first 0 (RFC 4578 §2.3). The three leading fields are little-endian, as in
    SMBIOS: edk2 and iPXE both send them so. All zeros or ones: the manufacturer never set it.
    """
    if len(value) != 17 or value[0] or value[1:] in _NEVER_SET:
        return ""
    low, middle, high, clock, node = _AS_SENT.unpack(value)
    return "%08x-%04x-%04x-%s-%s" % (low, middle, high, clock.hex(), node.hex())  # noqa: UP031


def user_classes(value: bytes) -> tuple[bytes, ...]:
    """Option 77: a list of length-prefixed classes (RFC 3004 §4), or the raw text.

    iPXE sends plain `iPXE` without a length; read as RFC 3004 its first byte would be 105.
    """
    classes = []
    position = 0
    while position < len(value):
        end = position + 1 + value[position]
        if not value[position] or end > len(value):
            return (value,)
        classes.append(value[position + 1 : end])
        position = end
    return tuple(classes)


def ipxe_options(value: bytes) -> dict[int, bytes]:
    """The sub-options of option 175; none if they are malformed."""
    try:
        return decode_options(value)
    except ProtocolError:
        return {}


def pci_id(bus_id: bytes) -> str:
    """The bus-id of iPXE as `8086:100e`, or "" if the card is not on a PCI bus (type 1)."""
    if len(bus_id) != 5 or bus_id[0] != 1:
        return ""
    return f"{bus_id[1:3].hex()}:{bus_id[3:5].hex()}"


def boot_item(value: bytes) -> tuple[int, int] | None:
    """Type and layer of the boot server that a client requests in option 43, or None."""
    try:
        item = decode_options(value).get(_BOOT_ITEM, b"")
    except ProtocolError:
        return None
    return struct.unpack(">HH", item) if len(item) == 4 else None


def encode_boot_item(item: tuple[int, int]) -> bytes:
    """Option 43 that answers `boot_item`."""
    return struct.pack(">BBHHB", _BOOT_ITEM, 4, *item, 255)
