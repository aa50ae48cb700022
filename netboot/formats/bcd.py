"""Writes a boot configuration store (BCD), the first file that Windows' boot managers read.

One store per firmware: `{bootmgr}` names the loader, the loader's device is a RAM disk filled from
boot.wim, and `{ramdiskoptions}` names boot.sdi and the TFTP settings. Writing 12 KiB takes a
millisecond, so there is no template to patch.

References: Microsoft's BCD WMI enumerations (BcdLibraryElementTypes and others); ntbcd.h of phnt;
ReactOS boot/environ. Apart from the GUID of the options, the device elements are byte-identical
to those on Microsoft's media.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from uuid import UUID

from netboot.formats.hive import (
    REG_BINARY,
    REG_MULTI_SZ,
    REG_SZ,
    Key,
    list_data,
    text_data,
    write_hive,
)

BOOT_MANAGER = UUID("9dea862c-5cdd-4e70-acc1-f32b344d4795")
RAMDISK_OPTIONS = UUID("ae5534e0-a924-466c-b836-758539a3ee3a")
LOADER = UUID("7619dcc9-fafe-11d9-b411-000476eba25f")
"""The GUID that Microsoft's media use; any GUID works."""
OTHER_LOADER = UUID("7619dcca-fafe-11d9-b411-000476eba25f")

_TYPE_BOOT_MANAGER, _TYPE_LOADER, _TYPE_DEVICE = 0x10100002, 0x10200003, 0x30000000
_DEVICE_BOOT, _DEVICE_LOCAL = 5, 0
_LOCAL_RAMDISK, _PATH_IN_DEVICE, _HAS_OPTIONS = 3, 5, 1


class Element(IntEnum):
    """Element types. The first digit is the class: 1 any object, 2 application, 3 device.

    The second is the format: 1 device, 2 text, 3 object, 4 list of objects, 5 integer, 6 boolean.
    """

    DEVICE = 0x11000001
    PATH = 0x12000002
    DESCRIPTION = 0x12000004
    LOCALE = 0x12000005
    DEFAULT = 0x23000003
    DISPLAY_ORDER = 0x24000001
    TIMEOUT = 0x25000004
    DISPLAY_MENU = 0x26000020
    OS_DEVICE = 0x21000001
    SYSTEM_ROOT = 0x22000002
    DETECT_HAL = 0x26000010
    WINPE = 0x26000022
    EMS = 0x260000B0
    SDI_DEVICE = 0x31000003
    SDI_PATH = 0x32000004
    # Microsoft's BcdDeviceObjectElementTypes page prints 0x36000007 and 0x36000008, as if these two
    # were booleans. Stores made by bcdedit have 0x35, and bootmgfw.efi (22621) follows these.
    TFTP_BLOCK_SIZE = 0x35000007
    TFTP_WINDOW_SIZE = 0x35000008
    TFTP_FALLBACK = 0x3600000A


@dataclass(frozen=True, slots=True)
class OtherImage:
    """A second image in the same store: media can carry x64 and x86."""

    title: str
    loader_path: str
    wim_path: str


@dataclass(frozen=True, slots=True)
class BootConfiguration:
    r"""The content of a store. Paths are as the loader requests them: `\Boot\boot.wim`.

    `loader_path` is inside the image: winload.exe for BIOS, winload.efi for UEFI. A block size
    (bytes) or window size (blocks) of 0 is left out. A store for media (`by_network` is False) has
    no TFTP settings. The menu shows `other` below the first image.
    """

    title: str
    is_uefi: bool
    loader_path: str
    wim_path: str = r"\Boot\boot.wim"
    sdi_path: str = r"\Boot\boot.sdi"
    block_size: int = 0
    window_size: int = 0
    menu_seconds: int = 0
    locale: str = "en-US"
    by_network: bool = True
    other: OtherImage | None = None


def write_bcd(configuration: BootConfiguration) -> bytes:
    """The store as a hive file."""
    root = Key()
    # Microsoft's stores for UEFI and BIOS media differ in this name; bcdedit shows neither.
    description = root.key("Description")
    description.set_text("KeyName", "BCD00000000" if configuration.is_uefi else "BCD00000001")
    objects = [
        (BOOT_MANAGER, _TYPE_BOOT_MANAGER, _manager_elements(configuration)),
        (RAMDISK_OPTIONS, _TYPE_DEVICE, _ramdisk_elements(configuration)),
        (LOADER, _TYPE_LOADER, _loader_elements(configuration)),
    ]
    if (other := configuration.other) is not None:
        second = replace(
            configuration,
            title=other.title,
            loader_path=other.loader_path,
            wim_path=other.wim_path,
        )
        objects.append((OTHER_LOADER, _TYPE_LOADER, _loader_elements(second)))
    for identity, kind, elements in objects:
        found = root.key(f"Objects\\{{{identity}}}")
        found.key("Description").set_number("Type", kind)
        for element, (value_type, data) in sorted(elements.items()):
            found.key(f"Elements\\{element:08x}").set("Element", value_type, data)
    # The root's name as bcdedit /createstore writes it.
    return write_hive("NewStoreRoot", root, file_name=r"\Boot\BCD")


_Value = tuple[int, bytes]
_TRUE: _Value = (REG_BINARY, b"\1")
_FALSE: _Value = (REG_BINARY, b"\0")


def _manager_elements(configuration: BootConfiguration) -> Mapping[Element, _Value]:
    loaders = (LOADER, OTHER_LOADER) if configuration.other else (LOADER,)
    shown = list_data(tuple(f"{{{loader}}}" for loader in loaders))
    return {
        Element.DESCRIPTION: _text("Windows Boot Manager"),
        Element.LOCALE: _text(configuration.locale),
        Element.DEFAULT: _text(f"{{{LOADER}}}"),
        Element.DISPLAY_ORDER: (REG_MULTI_SZ, shown),
        Element.TIMEOUT: _integer(configuration.menu_seconds),
        Element.DISPLAY_MENU: _TRUE if configuration.menu_seconds else _FALSE,
    }


def _ramdisk_elements(configuration: BootConfiguration) -> Mapping[Element, _Value]:
    # No description: the boot manager's menu would show it in place of the image's title (seen with
    # bootmgfw.efi 22621). Microsoft's own stores have only the two elements below.
    elements = {
        Element.SDI_DEVICE: (REG_BINARY, boot_device()),
        Element.SDI_PATH: _text(configuration.sdi_path),
    }
    if configuration.by_network:
        elements[Element.TFTP_FALLBACK] = _TRUE
    # bootmgfw.efi (22621) asks for a block size of 1456 and no window where these two are absent.
    if configuration.block_size:
        elements[Element.TFTP_BLOCK_SIZE] = _integer(configuration.block_size)
    if configuration.window_size:
        elements[Element.TFTP_WINDOW_SIZE] = _integer(configuration.window_size)
    return elements


def _loader_elements(configuration: BootConfiguration) -> Mapping[Element, _Value]:
    device = REG_BINARY, ramdisk_device(configuration.wim_path)
    return {
        Element.DEVICE: device,
        Element.PATH: _text(configuration.loader_path),
        Element.DESCRIPTION: _text(configuration.title),
        Element.LOCALE: _text(configuration.locale),
        # Windows PE runs from the RAM disk that its loader came from, so both devices are the same.
        Element.OS_DEVICE: device,
        Element.SYSTEM_ROOT: _text("\\windows"),
        Element.DETECT_HAL: _TRUE,  # the image may run on any machine
        Element.WINPE: _TRUE,
        Element.EMS: _FALSE,
    }


def boot_device() -> bytes:
    """The device that the boot manager was loaded from; 88 bytes. It has no options: GUID 0."""
    return bytes(16) + _boot_descriptor()


def ramdisk_device(wim_path: str) -> bytes:
    """A RAM disk filled from a WIM on the boot device, with `{ramdiskoptions}`.

    The GUID of the options, then a local device of type RAM disk, then its source: a
    BL_FILE_PATH_DESCRIPTOR of version 1 and path type 5, which is a device and a path on it.
    """
    path = text_data(wim_path)
    inner = _boot_descriptor()
    source = struct.pack("<III", 1, 12 + len(inner) + len(path), _PATH_IN_DEVICE) + inner + path
    # Image base and size 0: the boot manager takes the whole file, from offset 0.
    local = struct.pack("<IQQI", _LOCAL_RAMDISK, 0, 0, 0) + source
    # The size counts these 16 bytes of type, flags, size and padding, but not the GUID before them.
    descriptor = struct.pack("<IIII", _DEVICE_LOCAL, _HAS_OPTIONS, 16 + len(local), 0) + local
    return RAMDISK_OPTIONS.bytes_le + descriptor


def _boot_descriptor() -> bytes:
    # In Microsoft's stores the boot device ends in 0x38 zero bytes, which its size counts.
    return struct.pack("<IIII", _DEVICE_BOOT, 0, 0x48, 0) + bytes(0x38)


def _text(text: str) -> _Value:
    return REG_SZ, text_data(text)


def _integer(number: int) -> _Value:
    # Integers are eight bytes of REG_BINARY, booleans one: the hive's own types are not used.
    return REG_BINARY, struct.pack("<Q", number)
