from pathlib import Path

import pytest

from netboot.errors import InvalidInput, MissingTool
from netboot.images.architecture import Architecture
from netboot.operations import lab
from vm.labpe.drivers import PACKAGES
from vm.machine import firmware
from vm.machine.firmware import (
    NICS,
    VIRTIO,
    FirmwareKind,
    Rom,
    default_rom,
    find_firmware,
    find_nic,
    firmware_arguments,
)


def test_the_lab_has_what_the_page_offers():
    """Every firmware and card in the page's form can be built here."""
    assert [kind.value for kind in FirmwareKind] == [name for name, _ in lab.FIRMWARES]
    assert {name for name, _ in lab.NICS} <= set(NICS)


@pytest.mark.parametrize("nic", NICS.values(), ids=lambda nic: nic.name)
def test_each_card_has_a_driver_package(nic):
    """The named package of the Lab PE claims the card's id."""
    package = next(package for package in PACKAGES if package.name == nic.package)

    assert nic.pci_id.upper() in package.ids


def test_unknown_names_list_what_there_is():
    """The hint says what to ask for."""
    with pytest.raises(InvalidInput) as card:
        find_nic("rtl9000")
    with pytest.raises(InvalidInput) as board:
        find_firmware("coreboot")

    assert "e1000" in card.value.hint
    assert "uefi-x64" in board.value.hint


def test_firmware_and_image_architecture():
    """32-bit firmware and processors get the x86 image."""
    assert {kind.value: kind.architecture for kind in FirmwareKind} == {
        "bios-x64": Architecture.X64,
        "bios-x86": Architecture.X86,
        "uefi-x64": Architecture.X64,
        "uefi-ia32": Architecture.X86,
    }


def test_a_uefi_machine_without_its_firmware_is_told(monkeypatch):
    """The hint names the package to install."""
    missing = firmware.Flash(Path("/none/code.fd"), Path("/none/vars.fd"), "ovmf-ia32")
    monkeypatch.setitem(firmware._FLASH, FirmwareKind.UEFI_IA32, missing)

    with pytest.raises(MissingTool) as caught:
        firmware_arguments(FirmwareKind.UEFI_IA32, "tcg", Path("vars.fd"))

    assert "ovmf-ia32" in caught.value.hint


def test_a_bios_machine_shows_its_text_on_the_serial_port():
    """graphics=off, with the accelerator that was chosen."""
    assert firmware_arguments(FirmwareKind.BIOS_X86, "kvm", Path("unused")) == [
        "-machine",
        "pc,accel=kvm,graphics=off",
    ]


def test_only_virtio_under_uefi_boots_without_a_rom():
    """OVMF has a driver of its own for virtio; BIOS machines need the ROM always."""
    assert Rom.NONE is default_rom(FirmwareKind.UEFI_X64, VIRTIO)
    assert Rom.IPXE is default_rom(FirmwareKind.UEFI_X64, NICS["e1000"])
    assert Rom.IPXE is default_rom(FirmwareKind.BIOS_X64, VIRTIO)
