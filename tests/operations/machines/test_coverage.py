import pytest

from netboot.boot.told.events import Discovered, PeReported
from netboot.images.architecture import Architecture
from netboot.images.coverage import Status
from netboot.operations.deployments import deployments as policy
from netboot.operations.drivers import drivers
from netboot.operations.drivers import importing as driver_import
from netboot.operations.images import images
from netboot.operations.machines import coverage, machines
from netboot.operations.machines import coverage as module
from netboot.operations.points import points
from netboot.operations.versions import versions
from netboot.site import Site
from netboot.store.images.rows import find_image
from tests.web.support import seeding
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
    return site


def test_a_machine_that_would_stay_offline_is_known_before_it_boots(stocked):
    """Its card has no driver in the image, and the catalog's driver for it is named."""
    (machine,) = coverage.coverage(stocked, NAME).machines

    assert (MAC, Status.LACKING) == (machine.machine.name, machine.network)
    ((device, fixes),) = [(d.device.label, d.fixes) for d in machine.lacking]
    assert ("8086:100E", ["e1000"]) == (device, [fix.driver.name for fix in fixes])
    assert {frozenset({Architecture.X64})} == {fix.driver.architectures for fix in fixes}


def test_the_fix_covers_the_machine(stocked):
    """Enabling and adding is one step, and afterwards nothing is lacking."""
    found = coverage.coverage(stocked, NAME)
    ((driver, devices),) = found.fixes
    view = coverage.fix(stocked, NAME, driver.digest)

    assert (["e1000"], 1) == ([d.name for d in view.drivers], devices)
    mended = coverage.coverage(stocked, NAME)
    assert [Status.COVERED] == [machine.network for machine in mended.machines]
    assert () == mended.fixes


def test_drivers_that_no_known_machine_needs_are_named_with_their_size(stocked):
    """They make the image larger for nothing."""
    (driver,) = [d for d in drivers.list_drivers(stocked, search="nvme")
                 if Architecture.X64 in d.architectures]  # fmt: skip
    coverage.fix(stocked, NAME, driver.digest)
    assert () == coverage.coverage(stocked, NAME).unneeded, "the machine's disks are not known"
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
    (device,) = machines.import_devices(stocked, "pc", "PCI\\VEN_8086&DEV_100E")[0].devices
    found = coverage.candidates(stocked, device, Architecture.X64)

    assert [("e1000", False)] == [(one.driver.name, one.driver.enabled) for one in found]
    assert "a compatible ID of the device, listed as hardware ID in the INF" in found[0].explanation
    assert [] == coverage.candidates(stocked, device, Architecture.ARM64)


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
    assert Status.LACKING == told.coverage.network
    assert 1 == coverage.lacking(stocked)


def test_a_glance_at_a_small_fleet_is_never_old(stocked):
    """A machine that was listed just now is there."""
    assert 1 == len(coverage.coverage(stocked, NAME, glance=True).machines)
    machines.import_devices(stocked, "new laptops", "PCI\\VEN_10EC&DEV_8168")

    assert 2 == len(coverage.coverage(stocked, NAME, glance=True).machines)


# --- what is kept is never wrong -------------------------------------------------------------

NETWORK_CARD, DISK = "8086:100e:0200", "8086:2922:0107"


@pytest.fixture
def kept(any_site, tmp_path):
    """Two images, of which one is served; three drivers; machines that lack some."""
    seeding.add_image(any_site, NAME)
    seeding.add_image(any_site, "Other PE")
    held = seeding.add_driver(any_site, tmp_path, "held", ids=["PCI\\VEN_8086&DEV_100E"])
    coverage.fix(any_site, NAME, held.digest)
    seeding.add_driver(any_site, tmp_path, "spare", ids=["PCI\\VEN_10EC&DEV_8168"])
    seeding.add_driver(
        any_site, tmp_path, "disk", ids=["PCI\\VEN_8086&DEV_2922"], kind=seeding.STORAGE
    )
    serve(any_site, NAME)
    serve(any_site, "Other PE")
    boot(any_site, MAC, f"{NETWORK_CARD} {DISK}")
    boot(any_site, "52:54:00:77:00:01", "10ec:8168:0200")
    machines.import_devices(any_site, "new laptops", "PCI\\VEN_10EC&DEV_8168")
    return any_site


def serve(site, name):
    """Hand out a version as the recipe is now."""
    site.point.update(seeding.add_version(site, name), site.blobs, now=1.0)


def boot(site, mac, devices):
    """A boot image of a machine tells of its devices."""
    shared = {"at": 5.0, "mac": mac}
    seeding.tell(
        site,
        Discovered(**shared, architecture="x64", firmware="uefi", stage="ipxe"),
        PeReported(**shared, image=NAME, version=1, driver="d", device="e", devices=devices,
                   architecture="x64"),
    )  # fmt: skip


def all_that_is_told(site):
    """Everything that pages show of coverage."""
    whole = [
        coverage.coverage(site, image, everybody=everybody, served=served, glance=glance)
        for image in (NAME, "Other PE")
        for everybody in (False, True)
        for served in (False, True)
        for glance in (False, True)
    ]
    plain = [(one.worst_first, one.weights, one.shares, one.fixes, one.unneeded) for one in whole]
    known = machines.list_machines(site)
    alone = [coverage.machine_coverage(site, NAME, machine) for machine in known]
    return plain, alone, coverage.outlook(site), coverage.lacking(site)


def forget_all():
    """As a process that begins."""
    for kept in (module._kept, module._counted, module._held, module._alones, module._shops):
        kept._found.clear()


CHANGES = {
    "a machine that boots first": lambda site: boot(site, "52:54:00:77:00:09", NETWORK_CARD),
    "a machine with another card": lambda site: boot(site, MAC, "10ec:8168:0200"),
    "a list by hand": lambda site: machines.import_devices(site, "desks", "8086:100e:0200"),
    "a machine that is forgotten": lambda site: machines.forget(site, MAC),
    "a fix": lambda site: coverage.fix_all(site, NAME, everybody=True),
    "a driver that is taken out": lambda site: images.remove_driver(site, NAME, "held"),
    "a driver that is enabled": lambda site: drivers.enable_driver(site, "spare"),
    "a driver that is deleted": lambda site: drivers.delete_driver(site, "spare"),
    "a version": lambda site: serve(site, NAME) or serve(site, "Other PE"),
    "an image of its own": lambda site: policy.deploy(site, MAC, "Other PE"),
    "another default": lambda site: policy.set_default(site, "Other PE", Architecture.X64),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("elsewhere", [False, True])
def test_what_is_told_is_what_is_found_anew(kept, change, elsewhere):
    """After every change, whoever makes it, though much is kept."""
    all_that_is_told(kept)
    other = Site.open(kept.data)
    change(other if elsewhere else kept)
    other.database.close()
    other.journal.close()
    told = all_that_is_told(kept)
    forget_all()

    assert told == all_that_is_told(kept)


def test_changes_are_told(kept):
    """The one before holds only where something is told at all."""
    (first, *_), _, outlook, lacking = all_that_is_told(kept)
    assert {MAC, "new laptops", "52:54:00:77:00:01"} == {one.machine.name for one in first[0]}
    assert (1, Status.COVERED) == (lacking, outlook[MAC].coverage.network)
    policy.deploy(kept, MAC, "Other PE")

    assert (2, Status.LACKING) == (
        coverage.lacking(kept),
        coverage.outlook(kept)[MAC].coverage.network,
    )


def test_what_nobody_changed_is_not_looked_up_again(kept, monkeypatch):
    """Machines that are seen again, and images that others edit, change nothing of it."""
    before = all_that_is_told(kept)
    boot(kept, MAC, f"{NETWORK_CARD} {DISK}")
    with kept.database.writing() as session:
        find_image(session, NAME).comment = "for lecture halls"
    monkeypatch.setattr(module, "load_drivers", None)
    monkeypatch.setattr(module, "ImageDrivers", None)

    assert before == all_that_is_told(kept)
