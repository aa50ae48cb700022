import pytest

from netboot.images.architecture import Architecture
from tests.vm.machine.test_virtual_machine import direct_boot
from vm.machine.firmware import NICS, FirmwareKind
from vm.machine.spec import MachineSpec
from vm.network.lab_network import Slot
from vm.testrun import try_boot
from vm.verdict import Report, Result

pytestmark = [pytest.mark.vm, pytest.mark.netns]


class Arrived:
    """Reports that are there already, and what was asked about them."""

    def __init__(self, *reports):
        self.reports, self.asked = reports, []

    def arrived(self, macs, *, expected):
        self.asked.append((set(macs), expected))
        return self.reports


@pytest.mark.parametrize("forged", [False, True])
def test_console_and_server_are_both_heard(lab_pe, network, tmp_path, forged):
    """Without the driver it is offline; a report that should not exist makes it a failure."""
    direct = direct_boot(lab_pe, Architecture.X64, tmp_path)
    spec = MachineSpec(FirmwareKind.BIOS_X64, NICS["rtl8139"], Slot(4), direct=direct)
    report = Report(mac=spec.boot_mac, image="x", version=1, driver="d", device="10ec:8139")
    reports = Arrived(report) if forged else Arrived()

    tried = try_boot(spec, network, tmp_path / "m", reports=reports, accelerator="tcg")

    assert (Result.FAILED if forged else Result.OFFLINE) is tried.verdict.result
    assert [({spec.boot_mac}, False)] == reports.asked
    assert "net:10ec:8139" in tried.verdict.missing
