"""The machines that the lab can build: four kinds of firmware, and network cards.

What QEMU's firmware does, as observed:
- OVMF only has a driver for virtio. For the other cards it starts the iPXE driver in the card's
  ROM; without that ROM the machine has no network.
- Debian's ROMs have no driver for ia32 UEFI. There a virtio card boots, and the card under test
  is a second one.
- OVMF for ia32 is built for SMM, which needs q35 with its switches.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from netboot.errors import InvalidInput, MissingTool
from netboot.images.architecture import Architecture


class FirmwareKind(StrEnum):
    """Firmware and processor, as the administrator names them."""

    BIOS_X64 = "bios-x64"
    BIOS_X86 = "bios-x86"
    UEFI_X64 = "uefi-x64"
    UEFI_IA32 = "uefi-ia32"

    @property
    def is_uefi(self) -> bool:
        return self in {FirmwareKind.UEFI_X64, FirmwareKind.UEFI_IA32}

    @property
    def architecture(self) -> Architecture:
        """The architecture of the image that such a machine gets.

        A boot server cannot see a BIOS machine's processor: the default image decides.
        """
        x64 = {FirmwareKind.BIOS_X64, FirmwareKind.UEFI_X64}
        return Architecture.X64 if self in x64 else Architecture.X86


class Rom(StrEnum):
    """The content of the network card's boot ROM."""

    IPXE = "ipxe"  # QEMU's own
    NONE = "none"  # the firmware boots by itself


@dataclass(frozen=True, slots=True)
class Nic:
    """A network card: its name here, QEMU's device, the driver package, `vendor:device`."""

    name: str
    device: str
    package: str
    pci_id: str


NICS = {
    nic.name: nic
    for nic in (
        Nic("e1000", "e1000", "e1000", "8086:100e"),
        Nic("e1000e", "e1000e", "e1000e", "8086:10d3"),
        Nic("rtl8139", "rtl8139", "rtl8139", "10ec:8139"),
        Nic("virtio-net-pci", "virtio-net-pci", "netkvm", "1af4:1000"),
        Nic("vmxnet3", "vmxnet3", "vmxnet3", "15ad:07b0"),
        Nic("pcnet", "pcnet", "pcnet", "1022:2000"),
        Nic("ne2k_pci", "ne2k_pci", "ne2kpci", "10ec:8029"),
        Nic("i82551", "i82551", "e100", "8086:1209"),
        Nic("tulip", "tulip", "tulip", "1011:0019"),
    )
}
VIRTIO = NICS["virtio-net-pci"]


def find_nic(name: str) -> Nic:
    """The card of that name. Raises InvalidInput."""
    if name not in NICS:
        raise InvalidInput(
            f"the lab has no network card {name!r}", hint=f"It has: {', '.join(NICS)}."
        )
    return NICS[name]


def find_firmware(name: str) -> FirmwareKind:
    """The firmware of that name. Raises InvalidInput."""
    try:
        return FirmwareKind(name)
    except ValueError as error:
        raise InvalidInput(
            f"the lab has no firmware {name!r}", hint=f"It has: {', '.join(FirmwareKind)}."
        ) from error


@dataclass(frozen=True, slots=True)
class Flash:
    """A UEFI firmware: its code, and the template of its variables."""

    code: Path
    variables: Path
    package: str


_FLASH = {
    FirmwareKind.UEFI_X64: Flash(
        Path("/usr/share/OVMF/OVMF_CODE_4M.fd"), Path("/usr/share/OVMF/OVMF_VARS_4M.fd"), "ovmf"
    ),
    FirmwareKind.UEFI_IA32: Flash(
        Path("/usr/share/OVMF/OVMF32_CODE_4M.secboot.fd"),
        Path("/usr/share/OVMF/OVMF32_VARS_4M.fd"),
        "ovmf-ia32",
    ),
}

_EMULATOR = {
    FirmwareKind.BIOS_X64: "qemu-system-x86_64",
    FirmwareKind.BIOS_X86: "qemu-system-i386",
    FirmwareKind.UEFI_X64: "qemu-system-x86_64",
    FirmwareKind.UEFI_IA32: "qemu-system-x86_64",
}


def emulator_of(kind: FirmwareKind) -> str:
    """The QEMU program; 32-bit BIOS machines get a processor without 64-bit mode."""
    return _EMULATOR[kind]


def flash_of(kind: FirmwareKind) -> Flash | None:
    """The flash files of a UEFI machine; None for BIOS, which is part of QEMU.

    Raises MissingTool.
    """
    flash = _FLASH.get(kind)
    if flash is not None and not (flash.code.exists() and flash.variables.exists()):
        raise MissingTool(
            f"the firmware for {kind.value} machines is not installed",
            hint=f"Install it: apt-get install {flash.package}",
        )
    return flash


def firmware_arguments(kind: FirmwareKind, accelerator: str, variables: Path) -> list[str]:
    """QEMU's options for the board and its firmware; `variables` is this machine's own copy."""
    flash = flash_of(kind)
    if flash is None:
        # graphics=off: BIOS and boot ROM also write to the serial port; VGA stays.
        return ["-machine", f"pc,accel={accelerator},graphics=off"]
    smm = ",smm=on" if kind is FirmwareKind.UEFI_IA32 else ""
    secure = ["-global", "driver=cfi.pflash01,property=secure,value=on"] if smm else []
    no_s3 = ["-global", "ICH9-LPC.disable_s3=1"] if smm else []
    return [
        *("-machine", f"q35,accel={accelerator}{smm}", *secure, *no_s3),
        *("-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={flash.code}"),
        *("-drive", f"if=pflash,format=raw,unit=1,file={variables}"),
        *("-fw_cfg", "name=opt/org.tianocore/IPv6PXESupport,string=n"),
    ]


def default_rom(kind: FirmwareKind, nic: Nic) -> Rom:
    """A virtio card under UEFI boots by the firmware's own PXE; the others need their ROM."""
    return Rom.NONE if kind.is_uefi and nic == VIRTIO else Rom.IPXE
