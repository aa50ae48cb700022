"""What a boot program is made for is seen by its first bytes."""

import struct
from pathlib import Path

import pytest

from netboot.diagnose.asking.program import is_ipxe, made_for, name_of


def efi(machine: int) -> bytes:
    """The head of an EFI program."""
    return b"MZ".ljust(60, b"\0") + struct.pack("<I", 64) + b"PE\0\0" + struct.pack("<H", machine)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (efi(0x8664), "x64"),
        (efi(0x014C), "x86"),
        (efi(0xAA64), "arm64"),
        (efi(0x1234), "machine 0x1234"),
        (b"#!ipxe\nboot\n", "script"),
        (b"<!DOCTYPE html><title>404</title>", "page"),
        (b"", "empty"),
        (b"\xea\x05\x00\xc0\x07" + b"\0" * 100, "bios"),
        (b"MZ", "bios"),
        (b"MZ".ljust(60, b"\0") + struct.pack("<I", 2**31), "bios"),
        (efi(0x8664)[:69], "bios"),
    ],
)
def test_a_program_is_known_by_its_head(data: bytes, kind: str) -> None:
    """EFI programs carry their machine; a BIOS takes anything for code."""
    assert made_for(data) == kind
    assert name_of(kind)


@pytest.mark.parametrize(
    ("name", "kind"), [("undionly.kpxe", "bios"), ("snponly.efi", "x64"), ("ipxe.efi", "x64")]
)
def test_debians_programs_are_told_apart(name: str, kind: str) -> None:
    """The real ones."""
    path = Path("/usr/lib/ipxe", name)
    if not path.exists():
        pytest.skip("the package ipxe is not installed")

    assert made_for(path.read_bytes()) == kind


@pytest.mark.parametrize(
    ("name", "ipxe"),
    [
        ("undionly.kpxe", True),
        ("http://10.0.0.2:8081/p/snponly.efi", True),
        ("ipxe.efi?x=1", True),
        ("ipxe-shimx64.efi", True),
        ("grubia32.efi", False),
        ("bootmgfw.efi", False),
        ("pxeboot.n12", False),
        ("http://10.0.0.2:8081/boot.ipxe", False),
    ],
)
def test_ipxe_is_known_by_its_name(name: str, *, ipxe: bool) -> None:
    """It will ask the network once more; its script does not."""
    assert is_ipxe(name) is ipxe


STOCK = efi(0x8664) + b"#!ipxe\0Press Ctrl-B for the iPXE command line...\0"


def test_ipxe_under_another_name_is_known_by_its_words() -> None:
    assert is_ipxe("bootx64.efi", STOCK)
    assert not is_ipxe("bootx64.efi", efi(0x8664) + b"grub")


def test_an_ipxe_with_a_script_of_its_own_asks_for_no_boot_file() -> None:
    """Such as netboot.xyz's: the script decides, whatever DHCP names."""
    assert not is_ipxe("ipxe.efi", STOCK + b"#!ipxe\ndhcp\nchain http://10.0.0.2/x\n")


def test_debians_ipxe_is_known_by_its_words() -> None:
    path = Path("/usr/lib/ipxe/snponly.efi")
    if not path.exists():
        pytest.skip("the package ipxe is not installed")

    assert is_ipxe("anything.efi", path.read_bytes())
