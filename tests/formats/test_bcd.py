"""A boot configuration store: read back by independent readers, device bytes as documented."""

import subprocess
from base64 import b64decode
from dataclasses import replace
from pathlib import Path

import pytest
from defusedxml.ElementTree import fromstring
from regipy.registry import RegistryHive

from netboot.formats.bcd import (
    BOOT_MANAGER,
    LOADER,
    OTHER_LOADER,
    RAMDISK_OPTIONS,
    BootConfiguration,
    OtherImage,
    boot_device,
    ramdisk_device,
    write_bcd,
)

BIOS = BootConfiguration(
    title="Windows PE x64",
    is_uefi=False,
    loader_path=r"\Windows\System32\boot\winload.exe",
    block_size=1456,
    window_size=4,
)
UEFI = BootConfiguration(
    title="Windows PE x64", is_uefi=True, loader_path=r"\Windows\System32\boot\winload.efi"
)

RAMDISK_BYTES = """
    e03455ae24a96c46b836758539a3ee3a 00000000 01000000 a0000000 00000000
    03000000 0000000000000000 0000000000000000 00000000 01000000 78000000 05000000
    05000000 00000000 48000000 00000000
"""


def documented() -> bytes:
    """ramdisk=[boot]\\sources\\boot.wim,{ramdiskoptions}: 176 bytes."""
    path = r"\sources\boot.wim".encode("utf-16-le") + b"\0\0"
    return bytes.fromhex(RAMDISK_BYTES) + bytes(0x38) + path


def elements(tmp_path: Path, configuration: BootConfiguration) -> dict[str, dict[str, object]]:
    """All elements by object, as regipy reads them."""
    path = tmp_path / "BCD"
    path.write_bytes(write_bcd(configuration))
    hive = RegistryHive(str(path))
    found: dict[str, dict[str, object]] = {}
    for item in hive.get_key("\\Objects").iter_subkeys():
        found[item.name] = {
            element.name: next(iter(element.iter_values())).value
            for element in item.get_subkey("Elements").iter_subkeys()
        }
    return found


def test_a_ramdisk_device_is_byte_for_byte_as_documented():
    """176 bytes, equal to those of Microsoft's media."""
    assert documented() == ramdisk_device(r"\sources\boot.wim")
    assert len(documented()) == 176


def test_the_boot_device_is_as_documented():
    """88 bytes: no options, type 5, size 0x48."""
    expected = bytes(16) + bytes.fromhex("05000000 00000000 48000000 00000000") + bytes(0x38)

    assert boot_device() == expected
    assert len(expected) == 88


def test_three_objects_say_all(tmp_path: Path):
    """Boot manager, RAM disk options and loader, with the documented element types."""
    found = elements(tmp_path, BIOS)

    manager = found["{9dea862c-5cdd-4e70-acc1-f32b344d4795}"]
    assert manager["23000003"] == f"{{{LOADER}}}"
    assert manager["24000001"] == [f"{{{LOADER}}}"]
    options = found[f"{{{RAMDISK_OPTIONS}}}"]
    assert options["32000004"] == r"\Boot\boot.sdi"
    assert set(options) == {
        *("31000003", "32000004", "35000007", "35000008", "3600000a"),
    }
    loader = found[f"{{{LOADER}}}"]
    assert loader["12000002"] == r"\Windows\System32\boot\winload.exe"
    assert loader["12000004"] == "Windows PE x64"
    assert loader["22000002"] == r"\windows"
    assert set(loader) == {
        *("11000001", "12000002", "12000004", "12000005", "21000001", "22000002"),
        *("26000010", "26000022", "260000b0"),
    }
    assert len(found) == 3


@pytest.mark.wimlib
def test_hivexget_reads_numbers_as_written(tmp_path: Path):
    """Block and window size are 8 bytes, little endian; device elements whole."""
    path = tmp_path / "BCD"
    path.write_bytes(write_bcd(BIOS))

    def raw(identity: object, element: str) -> bytes:
        key = f"Objects\\{{{identity}}}\\Elements\\{element}"
        done = subprocess.run(["hivexget", path, key, "Element"], check=True, capture_output=True)
        return done.stdout

    assert raw(RAMDISK_OPTIONS, "35000007").startswith((1456).to_bytes(8, "little"))
    assert raw(RAMDISK_OPTIONS, "35000008").startswith((4).to_bytes(8, "little"))
    assert raw(RAMDISK_OPTIONS, "31000003").startswith(boot_device())
    assert raw(LOADER, "11000001").startswith(ramdisk_device(r"\Boot\boot.wim"))


@pytest.mark.parametrize(("configuration", "name"), [(BIOS, "BCD00000001"), (UEFI, "BCD00000000")])
def test_stores_of_the_two_firmwares_differ(
    configuration: BootConfiguration, name: str, tmp_path: Path
):
    """KeyName and loader; sizes that are not given are not written."""
    path = tmp_path / "BCD"
    path.write_bytes(write_bcd(configuration))

    description = RegistryHive(str(path)).get_key("\\Description")
    assert [value.value for value in description.iter_values()] == [name]
    options = elements(tmp_path, configuration)[f"{{{RAMDISK_OPTIONS}}}"]
    assert ("35000007" in options) is bool(configuration.block_size)


def test_a_menu_is_shown_when_it_waits(tmp_path: Path):
    """Timeout and menu go together."""
    waiting = BootConfiguration("x", is_uefi=True, loader_path=r"\w.efi", menu_seconds=30)

    manager = elements(tmp_path, waiting)["{9dea862c-5cdd-4e70-acc1-f32b344d4795}"]

    assert b"\x1e" + bytes(7) in write_bcd(waiting)
    assert {"25000004", "26000020"} <= set(manager)


def test_a_store_is_a_function_of_its_configuration():
    """Equal input, equal bytes, a few pages."""
    assert write_bcd(BIOS) == write_bcd(BIOS)
    assert len(write_bcd(BIOS)) == 12288


# Microsoft's BCD WMI reference: BcdLibraryElementTypes, BcdBootMgrElementTypes,
# BcdOSLoaderElementTypes, BcdDeviceObjectElementTypes; 35000007 and -8 as its tools write them.
DOCUMENTED = {
    "11000001": "BcdLibraryDevice_ApplicationDevice",
    "12000002": "BcdLibraryString_ApplicationPath",
    "12000004": "BcdLibraryString_Description",
    "12000005": "BcdLibraryString_PreferredLocale",
    "23000003": "BcdBootMgrObject_DefaultObject",
    "24000001": "BcdBootMgrObjectList_DisplayOrder",
    "25000004": "BcdBootMgrInteger_Timeout",
    "26000020": "BcdBootMgrBoolean_DisplayBootMenu",
    "21000001": "BcdOSLoaderDevice_OSDevice",
    "22000002": "BcdOSLoaderString_SystemRoot",
    "26000010": "BcdOSLoaderBoolean_DetectKernelAndHal",
    "26000022": "BcdOSLoaderBoolean_WinPEMode",
    "260000b0": "BcdOSLoaderBoolean_EmsEnabled",
    "31000003": "BcdDeviceDevice_SdiDevice",
    "32000004": "BcdDeviceString_SdiPath",
    "35000007": "BcdDeviceInteger_RamdiskTftpBlockSize",
    "35000008": "BcdDeviceInteger_RamdiskTftpWindowSize",
    "3600000a": "BcdDeviceBoolean_RamdiskMulticastTftpFallback",
}
REGISTRY_TYPES = {"1": 3, "2": 1, "3": 1, "4": 7, "5": 3, "6": 3}
"""By an element's format, the second digit: device, string, object, list, integer, boolean."""

OWNERS = {
    "1": {0x10100002, 0x10200003, 0x30000000},
    "2": {0x10100002, 0x10200003},
    "3": {0x30000000},
}
"""By an element's class, the first digit: library elements, applications, devices."""

SIZES = {"5": 8, "6": 1}


HIVEX_TYPES = {"string": 1, "binary": 3, "string-list": 7}


def read_by_hivex(path: Path) -> list[tuple[int, str, int, int]]:
    """All elements of a store: their object's type, their own, registry type, bytes."""
    done = subprocess.run(["hivexml", path], check=True, capture_output=True)
    found = []
    for thing in fromstring(done.stdout).findall("./node/node[@name='Objects']/node"):
        (kind,) = thing.findall("node[@name='Description']/value")
        for element in thing.findall("node[@name='Elements']/node"):
            (value,) = element.findall("value")
            size = len(b64decode(value.get("value"))) if value.get("encoding") else 0
            kinds = int(kind.get("value")), element.get("name")
            found.append((*kinds, HIVEX_TYPES[value.get("type")], size))
    return found


@pytest.mark.wimlib
@pytest.mark.parametrize("configuration", [BIOS, UEFI])
def test_every_element_is_a_documented_one_in_its_documented_form(
    configuration: BootConfiguration, tmp_path: Path
):
    """Type and owner by Microsoft's tables, registry type and length by the type's format."""
    (tmp_path / "BCD").write_bytes(write_bcd(configuration))
    found = read_by_hivex(tmp_path / "BCD")

    assert {element for _, element, _, _ in found} <= set(DOCUMENTED)
    assert len(found) == (20 if configuration.block_size else 18)
    for owner, element, registry_type, size in found:
        assert owner in OWNERS[element[0]], element
        assert registry_type == REGISTRY_TYPES[element[1]], element
        assert size == SIZES.get(element[1], size), element


def test_a_store_for_media_says_nothing_of_tftp(tmp_path: Path):
    """As on Microsoft's media: where boot.sdi lies, and no more."""
    found = elements(tmp_path, replace(UEFI, by_network=False))

    assert {"31000003", "32000004"} == set(found[f"{{{RAMDISK_OPTIONS}}}"])


@pytest.mark.parametrize("by_network", [True, False])
def test_only_applications_have_a_title_for_the_menu(tmp_path: Path, *, by_network: bool):
    """A description of the RAM disk's options would stand in the menu instead of the image's."""
    store = replace(BIOS, by_network=by_network, menu_seconds=30)
    titles = {
        identity: held["12000004"]
        for identity, held in elements(tmp_path, store).items()
        if "12000004" in held
    }

    assert titles == {
        f"{{{BOOT_MANAGER}}}": "Windows Boot Manager",
        f"{{{LOADER}}}": "Windows PE x64",
    }


def test_a_second_image_stands_below_the_first(tmp_path: Path):
    """With its own WIM and its own loader; the first one stays the default."""
    other = OtherImage("PE x86", r"\Windows\System32\winload.exe", r"\sources\boot-x86.wim")
    found = elements(tmp_path, replace(BIOS, other=other, menu_seconds=10))

    second = found[f"{{{OTHER_LOADER}}}"]
    manager = found["{9dea862c-5cdd-4e70-acc1-f32b344d4795}"]
    assert ("PE x86", other.loader_path) == (second["12000004"], second["12000002"])
    assert f"{{{LOADER}}}" == manager["23000003"]
    assert [f"{{{LOADER}}}", f"{{{OTHER_LOADER}}}"] == manager["24000001"]
    assert BIOS.title == found[f"{{{LOADER}}}"]["12000004"]
