"""Where boot files lie, what clients call them, and what can be booted with them."""

import pytest

from netboot.images.architecture import Architecture
from netboot.images.boot_image.description import BootFile
from netboot.images.servicing.boot_layout import (
    chains,
    client_name,
    is_collected,
    missing,
    needed_for,
)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/Windows/Boot/PXE/bootmgr.exe", "bootmgr.exe"),
        ("/WINDOWS/BOOT/EFI/BOOTMGFW.EFI", "bootmgfw.efi"),
        ("/Windows/Boot/EFI_EX/bootmgfw_EX.efi", "bootmgfw_EX.efi"),
        ("/sms/boot/boot.sdi", "boot.sdi"),
        ("/Windows/Boot/Fonts/wgl4_boot.ttf", "Fonts/wgl4_boot.ttf"),
        ("/Windows/Boot/LabPE/vmlinuz", "vmlinuz"),
        ("/Windows/System32/notepad.exe", ""),
        ("/Windows/Boot/Fonts/../x.ttf", ""),
    ],
)
def test_boot_files_have_the_names_that_clients_use(path: str, expected: str):
    """Case does not matter; other files have no name."""
    assert client_name(path) == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ((), ()),
        (("vmlinuz",), ()),
        (("vmlinuz", "initrd.gz"), ("linux",)),
        (("bootmgfw.efi",), ()),
        (("bootmgfw.efi", "boot.sdi"), ("native", "wimboot")),
        (("pxeboot.n12", "boot.sdi"), ()),
        (("pxeboot.n12", "bootmgr.exe", "boot.sdi"), ("native", "wimboot")),
        (("bootmgr.exe", "boot.sdi"), ("wimboot",)),
        (("bootmgr.exe",), ()),
        (("vmlinuz", "initrd.gz", "bootmgfw.efi", "boot.sdi"), ("linux", "native")),
    ],
)
def test_files_decide_the_ways_to_boot(names: tuple[str, ...], expected: tuple[str, ...]):
    """Best first; Microsoft's loaders need boot.sdi."""
    assert chains(names) == expected


@pytest.mark.parametrize(
    ("chain", "firmware", "expected"),
    [
        ("native", "bios", {"pxeboot.n12", "bootmgr.exe", "boot.sdi"}),
        ("wimboot", "bios", {"bootmgr.exe", "boot.sdi"}),
        ("native", "uefi", {"bootmgfw.efi", "boot.sdi"}),
        ("wimboot", "uefi", {"bootmgfw.efi", "boot.sdi"}),
        ("linux", "bios", {"vmlinuz", "initrd.gz"}),
    ],
)
def test_each_way_to_boot_needs_its_own_files(chain: str, firmware: str, expected: set[str]):
    """On a BIOS, iPXE and wimboot take the place of pxeboot.n12."""
    assert expected == set(needed_for(chain, firmware))


def test_what_is_missing_is_named_with_its_source():
    """Only what this architecture can use is missed."""
    have = (BootFile("bootmgfw.efi", "/x", 1, ""),)

    lacking = missing(have, Architecture.X64)
    assert [one.name for one in lacking] == ["pxeboot.n12", "bootmgr.exe", "boot.sdi"]
    assert all(one.needed_for and "media" in one.source for one in lacking)
    assert [one.name for one in missing((), Architecture.ARM64)] == ["bootmgfw.efi", "boot.sdi"]


def test_an_import_looks_into_few_files():
    """Boot files, scripts, hives and texts; nothing that is empty or huge."""
    assert is_collected("/Windows/System32/startnet.cmd", 9)
    assert is_collected("/Windows/System32/config/SYSTEM", 5 << 20)
    assert is_collected("/unattend.xml", 4000)
    assert not is_collected("/unattend.xml", 2 << 20)
    assert not is_collected("/Windows/System32/startnet.cmd", 0)
    assert not is_collected("/Windows/System32/ntoskrnl.exe", 65 << 20)
    assert not is_collected("/Windows/System32/notepad.exe", 100)
