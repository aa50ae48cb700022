import pytest

from netboot.boot.told.events import Discovered
from netboot.daemons.projector import catch_up
from netboot.images.architecture import Architecture
from netboot.images.coverage import Status
from netboot.operations.drivers import drivers
from netboot.operations.drivers import importing as driver_import
from netboot.operations.images import images
from netboot.operations.machines import coverage, machines
from netboot.operations.points import points
from netboot.operations.versions import versions
from vm import labpe

NAME = "Lab PE x64"
MAC = "52:54:00:77:00:00"

pytestmark = pytest.mark.wimlib


@pytest.fixture(scope="session")
def lab():
    return labpe.ensure()


@pytest.fixture
def stocked(site, lab):
    """An image without drivers, a catalog with drivers that are not enabled, one machine."""
    images.import_image(site, lab.wim[Architecture.X64], name=NAME, is_lab=True)
    for name in ("e1000", "netkvm", "nvme"):
        driver_import.import_drivers(site, lab.driver_folder(name, Architecture.X64))
        driver_import.import_drivers(site, lab.driver_folder(name, Architecture.X86))
    site.journal.emit(
        Discovered(
            at=1.0, mac=MAC, architecture="x86", firmware="bios", stage="ipxe", nic="8086:100e"
        )
    )
    assert site.journal.flush()
    catch_up(site)
    return site


def test_a_machine_that_would_stay_offline_is_known_before_it_boots(stocked):
    """Its card has no driver in the image, and the catalog's driver for it is named."""
    (machine,) = coverage.coverage(stocked, NAME).machines

    assert (machine.machine.name, machine.network) == (MAC, Status.LACKING)
    ((device, fixes),) = [(d.device.label, d.fixes) for d in machine.lacking]
    assert (device, [fix.driver.name for fix in fixes]) == ("8086:100E", ["e1000"])
    assert {frozenset({Architecture.X64})} == {fix.driver.architectures for fix in fixes}


def test_the_fix_covers_the_machine(stocked):
    """Enabling and adding is one step, and afterwards nothing is lacking."""
    found = coverage.coverage(stocked, NAME)
    ((driver, devices),) = found.fixes
    view = coverage.fix(stocked, NAME, driver.digest)

    assert ([d.name for d in view.drivers], devices) == (["e1000"], 1)
    mended = coverage.coverage(stocked, NAME)
    assert [machine.network for machine in mended.machines] == [Status.COVERED]
    assert mended.fixes == ()


def test_drivers_that_no_known_machine_needs_are_named_with_their_size(stocked):
    """They make the image larger for nothing."""
    (driver,) = [d for d in drivers.list_drivers(stocked, search="nvme")
                 if Architecture.X64 in d.architectures]  # fmt: skip
    coverage.fix(stocked, NAME, driver.digest)
    assert coverage.coverage(stocked, NAME).unneeded == (), "the machine's disks are not known"
    machines.import_devices(stocked, MAC, "8086:100e:0200\n8086:2922:010601")

    (unneeded,) = coverage.coverage(stocked, NAME).unneeded
    assert (driver.digest, True) == (unneeded.driver.digest, unneeded.size > 100_000)


def test_a_pasted_machine_counts_like_one_that_booted(stocked):
    """A purchase can be checked before the machines arrive."""
    machines.import_devices(stocked, "new laptops", "PCI\\VEN_10EC&DEV_8168&SUBSYS_00000000&REV_15")
    by_name = {m.machine.name: m for m in coverage.coverage(stocked, NAME).machines}

    assert {MAC, "new laptops"} == set(by_name)


def test_candidates_for_a_device_come_in_windows_order(stocked):
    """Enabled or not; of another architecture none."""
    (device,) = machines.import_devices(stocked, "pc", "PCI\\VEN_8086&DEV_100E").machine.devices
    found = coverage.candidates(stocked, device, Architecture.X64)

    assert [(one.driver.name, one.driver.enabled) for one in found] == [("e1000", False)]
    assert "a compatible ID of the device, listed as hardware ID in the INF" in found[0].explanation
    assert coverage.candidates(stocked, device, Architecture.ARM64) == []


def test_the_outlook_says_what_coverage_says(stocked):
    """It is told without fixes, and counts those that would stay offline."""
    versions.build_version(stocked, NAME)
    points.update_distribution_points(stocked, NAME)
    machines.import_devices(stocked, MAC, "8086:100e:0200\n8086:2922:010601")
    seen = coverage.coverage(stocked, NAME, served=True).machines[0]
    told = coverage.outlook(stocked)[MAC]

    assert (NAME, seen.network, seen.storage) == (
        told.image,
        told.coverage.network,
        told.coverage.storage,
    )
    assert told.coverage.network == Status.LACKING
    assert coverage.lacking(coverage.outlook(stocked).values()) == 1
