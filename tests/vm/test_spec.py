from pathlib import Path

from vm.firmware import NICS, FirmwareKind
from vm.network import Slot
from vm.spec import DirectBoot, MachineSpec, Wiring, qemu_arguments

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

    assert ["dgram,id=net0,local.type=fd,local.str=10"] == after(words, "-netdev")
    assert "e1000,netdev=net0,mac=52:54:00:77:00:05,bootindex=1" in after(words, "-device")
    assert ["00000000-0000-4000-8000-525400770005"] == after(words, "-uuid")


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
    assert ("52:54:00:77:00:05", "52:54:00:77:01:05") == (spec.boot_mac, spec.tested_mac)


def test_ia32_with_virtio_has_one_card():
    """Virtio boots and is tested."""
    assert 1 == len(after(arguments("uefi-ia32", "virtio-net-pci"), "-netdev"))


def test_a_direct_boot_boots_no_card():
    """Kernel and initrd come from QEMU; the card's ROM stays out of it."""
    direct = DirectBoot(Path("vmlinuz"), Path("initrd"), "quiet")
    words = arguments("bios-x64", "e1000", direct=direct)

    assert (["vmlinuz"], ["initrd"], ["quiet"]) == tuple(
        after(words, option) for option in ("-kernel", "-initrd", "-append")
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
    assert (["1024"], ["none"]) == (after(words, "-m"), after(words, "-display"))
