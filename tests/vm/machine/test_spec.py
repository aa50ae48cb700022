from pathlib import Path

from vm.machine.firmware import NICS, FirmwareKind
from vm.machine.spec import Bus, DirectBoot, Disk, MachineSpec, Wiring, qemu_arguments
from vm.network.lab_network import Slot

WIRING = Wiring(
    network=[10, 11],
    control=12,
    serial=13,
    debug=14,
    variables=Path("vars.fd"),
    serial_log=Path("serial.log"),
    debug_log=Path("debug.log"),
)


def arguments(firmware, nic, **options):
    spec = MachineSpec(FirmwareKind(firmware), NICS[nic], Slot(5), **options)
    return qemu_arguments(spec, WIRING, accelerator="tcg")


def after(words, option):
    return [words[at + 1] for at, word in enumerate(words) if word == option]


def test_a_bios_machine_boots_from_its_card():
    """Card, address, boot order and the wire's descriptor are on the command line."""
    words = arguments("bios-x64", "e1000")

    assert after(words, "-netdev") == ["dgram,id=net0,local.type=fd,local.str=10"]
    assert "e1000,netdev=net0,mac=52:54:00:77:00:05,bootindex=1" in after(words, "-device")
    assert after(words, "-uuid") == ["00000000-0000-4000-8000-525400770005"]


def test_native_pxe_has_an_empty_rom():
    """Under UEFI a virtio card is left to the firmware."""
    words = arguments("uefi-x64", "virtio-net-pci")

    assert any(word.startswith("virtio-net-pci") and word.endswith(",romfile=") for word in words)
    assert "if=pflash,format=raw,unit=1,file=vars.fd" in after(words, "-drive")


def test_ia32_boots_by_virtio_and_tests_the_second_card():
    """The card under test has no ROM and no place in the boot order."""
    spec = MachineSpec(FirmwareKind.UEFI_IA32, NICS["e1000"], Slot(5))
    devices = after(qemu_arguments(spec, WIRING, accelerator="tcg"), "-device")

    assert "e1000,netdev=net1,mac=52:54:00:77:01:05,romfile=" in devices
    assert (spec.boot_mac, spec.tested_mac) == ("52:54:00:77:00:05", "52:54:00:77:01:05")


def test_ia32_with_virtio_has_one_card():
    """Virtio boots and is tested."""
    assert len(after(arguments("uefi-ia32", "virtio-net-pci"), "-netdev")) == 1


def test_a_direct_boot_boots_no_card():
    """Kernel and initrd come from QEMU; the card's ROM stays out of it."""
    direct = DirectBoot(Path("vmlinuz"), Path("initrd"), "quiet")
    words = arguments("bios-x64", "e1000", direct=direct)

    assert tuple(after(words, option) for option in ("-kernel", "-initrd", "-append")) == (
        ["vmlinuz"],
        ["initrd"],
        ["quiet"],
    )
    assert not any("bootindex" in word for word in words)


def test_a_machine_may_keep_its_own_address():
    """A MAC of the caller's takes the slot's place."""
    spec = MachineSpec(FirmwareKind.BIOS_X64, NICS["e1000"], Slot(1), mac="52:54:00:aa:bb:cc")

    assert "52:54:00:aa:bb:cc" == spec.boot_mac == spec.tested_mac


def test_nothing_is_there_by_default():
    """No default devices, no reboot after a panic, no window."""
    words = arguments("bios-x86", "pcnet", memory=1024)

    assert {"-nodefaults", "-no-reboot", "-no-user-config"} <= set(words)
    assert (after(words, "-m"), after(words, "-display")) == (["1024"], ["none"])


def test_a_machine_with_disks_boots_from_the_first_and_not_by_network():
    """Each disk has a place in the order, no card has one, and no card has a ROM."""
    disks = (Disk(Path("a.img"), Bus.NVME), Disk(Path("b.qcow2"), Bus.VIRTIO, "qcow2", keeps=True))
    words = arguments("uefi-ia32", "e1000", disks=disks)
    devices = after(words, "-device")

    assert "nvme,serial=nb0,drive=disk0,bootindex=0" in devices
    assert "virtio-blk-pci,drive=disk1,bootindex=1" in devices
    assert [word for word in devices if "netdev" in word] == [
        "e1000,netdev=net0,mac=52:54:00:77:00:05,romfile="
    ]
    drives = after(words, "-drive")
    assert "if=none,id=disk0,format=raw,file=a.img,snapshot=on" in drives
    assert "if=none,id=disk1,format=qcow2,file=b.qcow2" in drives


def test_a_disc_is_never_written_and_each_bus_has_a_controller():
    """Several of a kind may be in one machine."""
    buses = (Bus.CD, Bus.USB, Bus.AHCI)
    words = arguments("bios-x64", "e1000", disks=tuple(Disk(Path("x"), bus) for bus in buses))
    devices = after(words, "-device")

    assert "if=none,id=disk0,format=raw,file=x,readonly=on" in after(words, "-drive")
    assert {"ahci,id=ahci0", "qemu-xhci,id=usb1", "ahci,id=ahci2"} <= set(devices)


def test_a_machine_restarts_only_where_it_is_meant_to():
    """Otherwise a reset ends it, and a panic is seen."""
    assert "-no-reboot" in arguments("bios-x64", "e1000")
    assert "-no-reboot" not in arguments("bios-x64", "e1000", restarts=True)
