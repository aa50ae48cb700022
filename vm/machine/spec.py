"""A test machine as a value, and the QEMU command line that makes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from vm.machine.firmware import VIRTIO, FirmwareKind, Nic, Rom, default_rom, firmware_arguments
from vm.network.lab_network import Slot


@dataclass(frozen=True, slots=True)
class DirectBoot:
    """Kernel and first file system that QEMU itself loads, without a network boot."""

    kernel: Path
    initrd: Path
    arguments: str


class Bus(StrEnum):
    """How a disk is connected."""

    CD = "cd"
    USB = "usb"
    AHCI = "ahci"
    NVME = "nvme"
    VIRTIO = "virtio"


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk or disc in a file; the firmware starts the machine's first one.

    The disk forgets what the machine writes unless it `keeps`.
    """

    path: Path
    bus: Bus
    format: str = "raw"
    keeps: bool = False


@dataclass(frozen=True, slots=True)
class MachineSpec:
    """A machine to build. `memory` in MB; `plain_pxe` hides that the boot ROM is iPXE.

    `slot` gives the machine its addresses: two machines of a lab must not share one. `mac`
    overrides the slot's address. `extra` are more QEMU options. A machine with `disks` does not
    boot by the network. A machine that `restarts` continues after a reset; others end there.
    """

    firmware: FirmwareKind
    nic: Nic
    slot: Slot
    memory: int = 512
    rom: Rom | None = None
    plain_pxe: bool = False
    mac: str = ""
    direct: DirectBoot | None = None
    extra: tuple[str, ...] = ()
    disks: tuple[Disk, ...] = ()
    restarts: bool = False

    @property
    def boots_by_network(self) -> bool:
        return self.direct is None and not self.disks

    @property
    def boot_rom(self) -> Rom:
        return self.rom if self.rom is not None else default_rom(self.firmware, self.boot_nic)

    @property
    def boot_nic(self) -> Nic:
        """The card that boots: ia32 UEFI can only boot from virtio."""
        needs_virtio = self.firmware is FirmwareKind.UEFI_IA32 and self.boots_by_network
        return VIRTIO if needs_virtio else self.nic

    @property
    def second_nic(self) -> Nic | None:
        """The card under test if it is not the one that boots."""
        return self.nic if self.nic != self.boot_nic else None

    @property
    def boot_mac(self) -> str:
        """The address of the card that boots."""
        return self.mac or self.slot.mac

    @property
    def tested_mac(self) -> str:
        """The address of the card that the boot image reports through."""
        return self.slot.second_mac if self.second_nic else self.boot_mac


@dataclass(frozen=True, slots=True)
class Wiring:
    """File descriptors that QEMU inherits, and this machine's files."""

    network: Sequence[int]
    control: int
    serial: int
    debug: int
    variables: Path
    serial_log: Path
    debug_log: Path


def qemu_arguments(spec: MachineSpec, wiring: Wiring, *, accelerator: str) -> list[str]:
    direct = spec.direct
    return [
        *firmware_arguments(spec.firmware, accelerator, wiring.variables),
        *("-m", str(spec.memory), "-nodefaults", "-no-user-config"),
        *([] if spec.restarts else ["-no-reboot"]),
        *("-display", "none", "-vga", "std", "-uuid", spec.slot.uuid),
        *_channel("control", wiring.control),
        *("-mon", "chardev=control,mode=control"),
        *_channel("serial", wiring.serial, log=wiring.serial_log),
        *("-serial", "chardev:serial"),
        *_channel("debug", wiring.debug, log=wiring.debug_log),
        *("-device", "isa-debugcon,iobase=0x402,chardev=debug"),
        *_network_cards(spec, wiring),
        *(("-kernel", str(direct.kernel), "-initrd", str(direct.initrd)) if direct else ()),
        *(("-append", direct.arguments) if direct else ()),
        *(word for number, disk in enumerate(spec.disks) for word in _disk(number, disk)),
        *spec.extra,
    ]


def _channel(name: str, descriptor: int, *, log: Path | None = None) -> list[str]:
    logfile = f",logfile={log},logappend=off" if log else ""
    return ["-chardev", f"socket,id={name},fd={descriptor}{logfile}"]


def _network_cards(spec: MachineSpec, wiring: Wiring) -> list[str]:
    """The cards; QEMU lets a card boot unless its ROM is empty."""
    rom = ",romfile=" if spec.boot_rom is Rom.NONE or not spec.boots_by_network else ""
    order = ",bootindex=1" if spec.boots_by_network else ""
    boot = f"{spec.boot_nic.device},netdev=net0,mac={spec.boot_mac}{order}{rom}"
    words = [*_netdev(0, wiring.network[0]), "-device", boot]
    if spec.second_nic is not None:
        second = f"{spec.second_nic.device},netdev=net1,mac={spec.slot.second_mac},romfile="
        words += [*_netdev(1, wiring.network[1]), "-device", second]
    return words


def _netdev(number: int, descriptor: int) -> list[str]:
    return ["-netdev", f"dgram,id=net{number},local.type=fd,local.str={descriptor}"]


def _disk(number: int, disk: Disk) -> list[str]:
    """A drive with its own controller; the firmware tries the disks in their order."""
    name, order = f"disk{number}", f"drive=disk{number},bootindex={number}"
    once = "" if disk.keeps else ",snapshot=on"
    drive = f"if=none,id={name},format={disk.format},file={disk.path}"
    match disk.bus:
        case Bus.CD:
            devices = [f"ahci,id=ahci{number}", f"ide-cd,bus=ahci{number}.0,{order}"]
            once = ",readonly=on"
        case Bus.USB:
            devices = [f"qemu-xhci,id=usb{number}", f"usb-storage,bus=usb{number}.0,{order}"]
        case Bus.AHCI:
            devices = [f"ahci,id=ahci{number}", f"ide-hd,bus=ahci{number}.0,{order}"]
        case Bus.NVME:
            devices = [f"nvme,serial=nb{number},{order}"]
        case Bus.VIRTIO:
            devices = [f"virtio-blk-pci,{order}"]
    return ["-drive", drive + once, *(word for device in devices for word in ("-device", device))]
