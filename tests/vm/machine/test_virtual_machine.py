import socket
from dataclasses import replace

import pytest

from netboot.formats import cpio
from netboot.images.architecture import Architecture
from tests.vm.machine.test_accel import linux_that_hangs
from vm.labpe import kernel_arguments
from vm.machine.firmware import NICS, FirmwareKind
from vm.machine.spec import DirectBoot, MachineSpec
from vm.machine.virtual_machine import Ending, Limits, Machine, processor_seconds
from vm.network.lab_network import Slot

pytestmark = [pytest.mark.vm, pytest.mark.netns]

SHORT = Limits(silence=3.0, wall=30.0, processor=60.0)


def direct_boot(lab_pe, architecture, folder, *, arguments=""):
    """The Lab PE without any network boot: kernel, initrd and image straight from QEMU."""
    wim = lab_pe.wim[architecture].read_bytes()
    initrd = folder / "initrd"
    initrd.write_bytes(
        lab_pe.initrd[architecture].read_bytes()
        + cpio.prefix("boot.wim", len(wim))
        + wim
        + cpio.suffix(len(wim))
    )
    words = kernel_arguments(report="http://10.77.0.2:8081/report/x", id="direct")
    return DirectBoot(lab_pe.kernel[architecture], initrd, f"{words} {arguments}")


@pytest.mark.parametrize("firmware", ["bios-x64", "bios-x86"])
def test_the_lab_pe_boots_directly(lab_pe, network, tmp_path, firmware):
    """It opens its WIM, finds no driver, and says so; screen and consoles are kept."""
    kind = FirmwareKind(firmware)
    direct = direct_boot(lab_pe, kind.architecture, tmp_path)
    lines = []

    with Machine(
        MachineSpec(kind, NICS["e1000"], Slot(1), direct=direct), network, tmp_path / "m"
    ) as machine:
        run = machine.run(on_line=lines.append)

    assert (run.ending, run.words) == (Ending.DONE, "result=offline reason=no-driver")
    assert [lines[0].key, lines[-1].key] == ["START", "DONE"]
    assert run.screenshot.read_bytes()[:4] == b"\x89PNG"
    assert (
        run.serial.encode("latin-1")
        == (tmp_path / "m" / "serial.log").read_bytes()[: len(run.serial)]
    )
    assert not run.reported
    assert run.processor_seconds > 0


def test_a_kernel_without_its_image_says_nowim(lab_pe, network, tmp_path):
    """An initrd alone is a failure of the boot, not an offline machine."""
    kind = FirmwareKind.BIOS_X64
    direct = DirectBoot(
        lab_pe.kernel[Architecture.X64],
        lab_pe.initrd[Architecture.X64],
        kernel_arguments(report="http://10.77.0.2/", id="x"),
    )

    with Machine(
        MachineSpec(kind, NICS["e1000"], Slot(2), direct=direct), network, tmp_path / "m"
    ) as machine:
        run = machine.run()

    assert (run.ending, run.words) == (Ending.DONE, "result=nowim")


@pytest.fixture
def hanging(tmp_path):
    """A machine whose kernel does nothing for ever."""
    kernel, initrd = tmp_path / "kernel", tmp_path / "initrd"
    kernel.write_bytes(linux_that_hangs())
    initrd.write_bytes(b"")
    direct = DirectBoot(kernel, initrd, "")
    return MachineSpec(FirmwareKind.BIOS_X64, NICS["e1000"], Slot(3), direct=direct, memory=256)


def test_a_silent_machine_is_given_up(network, tmp_path, hanging):
    """The words name the limit and how far it came; nothing calls it offline."""
    with Machine(hanging, network, tmp_path / "m") as machine:
        pid = machine._process.pid
        run = machine.run(SHORT)

    assert Ending.STALLED is run.ending
    assert "it had sent nothing" in run.words
    assert processor_seconds(pid) == 0.0


def test_a_wish_that_qemu_refuses_comes_with_its_words(network, tmp_path, hanging):
    """QEMU ends at once; what it said is in the evidence."""
    spec = replace(hanging, extra=("-device", "no-such-device"))
    with Machine(spec, network, tmp_path / "m") as machine:
        run = machine.run(SHORT)

    assert Ending.EXITED is run.ending
    assert "no-such-device" in run.words


def test_a_pulled_leash_switches_it_off(network, tmp_path, hanging):
    """Whoever asked for a machine and hangs up ends it."""
    held, pulled = socket.socketpair()
    pulled.close()
    with held, Machine(hanging, network, tmp_path / "m") as machine:
        run = machine.run(SHORT, leash=held)

    assert Ending.CANCELLED is run.ending
