"""netboot.operations.machines.fleet_results: what is stored is found fresh, or says it is old."""

import pytest
from sqlalchemy import select

from netboot.boot.told.events import Discovered, PeReported
from netboot.images.architecture import Architecture
from netboot.operations.deployments import deployments as policy
from netboot.operations.drivers import drivers, known_pairs
from netboot.operations.drivers import relations as driver_relations
from netboot.operations.drivers.known_pairs import Side, Trouble
from netboot.operations.drivers.relations import ShownConflicts
from netboot.operations.images import images
from netboot.operations.machines import coverage, fleet_results, machines
from netboot.site import Site
from netboot.store.boots import outlooks
from netboot.store.database import computed_results
from netboot.store.database.records import ComputedRow, OutlookRow
from netboot.store.images.rows import find_image
from tests.web.support import seeding

NAME, OTHER = "Lab PE x64", "Other PE"
MAC = "52:54:00:77:00:00"
NETWORK_CARD, DISK = "8086:100e:0200", "8086:2922:0107"
VARIANTS = [(everybody, served) for everybody in (False, True) for served in (False, True)]


@pytest.fixture
def stocked(any_site, tmp_path):
    """Two images, both served; drivers of which two claim one card; machines that lack some."""
    seeding.add_image(any_site, NAME)
    seeding.add_image(any_site, OTHER)
    held = seeding.add_driver(any_site, tmp_path, "held", ids=["PCI\\VEN_8086&DEV_100E"])
    coverage.fix(any_site, NAME, held.digest)
    seeding.add_driver(any_site, tmp_path, "spare", ids=["PCI\\VEN_10EC&DEV_8168"])
    seeding.add_driver(
        any_site,
        tmp_path,
        "rival",
        ids=["PCI\\VEN_8086&DEV_100E"],
        maker="Beta",
        version="1.0.0.0",  # older, so a fix takes the other one
        enabled=True,
    )
    seeding.add_driver(
        any_site, tmp_path, "disk", ids=["PCI\\VEN_8086&DEV_2922"], kind=seeding.STORAGE
    )
    serve(any_site, NAME)
    serve(any_site, OTHER)
    boot(any_site, MAC, f"{NETWORK_CARD} {DISK}")
    boot(any_site, "52:54:00:77:00:01", "10ec:8168:0200")
    machines.import_devices(any_site, "new laptops", "PCI\\VEN_10EC&DEV_8168")
    seeding.compute(any_site)
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


def stored(site):
    """All that pages show, and whether all of it is current."""
    found = [
        fleet_results.stored_coverage(site, view, everybody=everybody, served=served)
        for view in images.list_images(site)
        for everybody, served in VARIANTS
    ]
    found += [fleet_results.stored_lacking(site), fleet_results.stored_conflicts(site)]
    clashes = fleet_results.stored_clashes(site)
    return [*(one.value for one in found), clashes], all(one.is_current for one in found)


def fresh(site):
    """The same, computed now."""
    found = []
    for view in images.list_images(site):
        for everybody, served in VARIANTS:
            whole = coverage.coverage(site, view.name, everybody=everybody, served=served)
            found.append((
                tuple(one.machine.name for one in whole.worst_first),
                whole.shares,
                tuple((driver.digest, count) for driver, count in whole.fixes),
                tuple((w.driver.digest, w.size, len(w.machines), w.judged) for w in whole.weights),
                len(whole.unneeded),
            ))  # fmt: skip
    conflicts = ShownConflicts.of(driver_relations.conflicts(site))
    return [*found, coverage.lacking(coverage.outlook(site).values()), conflicts, conflicts.pairs]


def plain(values):
    """What is stored, as `fresh` writes it."""
    *covered, lacking, conflicts, clashes = values
    return [
        *(
            (
                one.machines,
                one.shares,
                tuple((driver.digest, count) for driver, count in one.fixes),
                tuple((w.digest, w.size, w.machines, w.judged) for _, w in one.weights),
                one.unneeded,
            )
            for one in covered
        ),
        lacking,
        conflicts,
        clashes,
    ]


def fates(site):
    """What becomes of each machine, computed now."""
    return {
        key: (one.image, one.coverage.network.value, one.coverage.storage.value)
        for key, one in coverage.outlook(site).items()
    }


def kept_fates(site):
    """The same, as it is stored."""
    with site.database.transaction() as session:
        return fleet_results.stored_outlooks(site, list(session.scalars(select(OutlookRow.key))))


CHANGES = {
    "a machine that boots first": lambda site: boot(site, "52:54:00:77:00:09", NETWORK_CARD),
    "a machine with another card": lambda site: boot(site, MAC, "10ec:8168:0200"),
    "a list by hand": lambda site: machines.import_devices(site, "desks", "8086:100e:0200"),
    "a machine that is forgotten": lambda site: machines.forget(site, MAC),
    "a driver that is taken out": lambda site: images.remove_driver(site, NAME, "held"),
    "a driver that is enabled": lambda site: drivers.enable_driver(site, "spare"),
    "a fix": lambda site: coverage.fix_all(site, NAME, everybody=True),
    "a driver that is deleted": lambda site: drivers.delete_driver(site, "rival"),
    "a version": lambda site: serve(site, NAME) or serve(site, OTHER),
    "an image of its own": lambda site: policy.deploy(site, MAC, OTHER),
    "another default": lambda site: policy.set_default(site, OTHER, Architecture.X64),
    "a new image": lambda site: seeding.add_image(site, "Third PE") and None,
    "a known pair": lambda site: known_pairs.add_pair(
        site, Trouble.APART, Side("held.inf"), Side("rival.inf"), reason="They hang."
    ),
}


def test_what_is_stored_is_what_is_found_fresh(stocked):
    """After every change that another process makes, as soon as the worker has caught up."""
    before, is_current = stored(stocked)
    assert (is_current, fresh(stocked)) == (True, plain(before))
    for name, change in CHANGES.items():
        other = Site.open(stocked.data)
        change(other)
        other.database.close()
        other.journal.close()
        seeding.compute(stocked)
        after, is_current = stored(stocked)

        assert is_current, name
        assert fates(stocked) == kept_fates(stocked), name
        assert fresh(stocked) == plain(after), name


def test_changes_show_in_the_results(stocked):
    """The test before holds only where there is something to be told."""
    (first, *_), _ = stored(stocked)
    assert {MAC, "new laptops", "52:54:00:77:00:01"} == set(first.machines)
    assert fleet_results.stored_lacking(stocked).value == 1
    assert [one.hardware_id for one in fleet_results.stored_conflicts(stocked).value.ids] == [
        "PCI\\VEN_8086&DEV_100E"
    ]
    policy.deploy(stocked, MAC, OTHER)
    seeding.compute(stocked)

    assert fleet_results.stored_lacking(stocked).value == 2


def test_outlooks_follow_their_machines(stocked):
    """One that is forgotten has none any more; a list by hand never boots and has none."""
    keys = [MAC, "52:54:00:77:00:01", "new laptops"]
    before = fleet_results.stored_outlooks(stocked, keys)
    assert before == {
        MAC: (NAME, "covered", "lacking"),
        "52:54:00:77:00:01": (NAME, "lacking", "unknown"),
    }
    machines.forget(stocked, MAC)
    assert before == fleet_results.stored_outlooks(stocked, keys)
    seeding.compute(stocked)

    del before[MAC]
    assert before == kept_fates(stocked)


def test_only_outlooks_that_changed_are_written(stocked, monkeypatch):
    """Of ten thousand machines few change at a time."""
    written = []
    upsert = outlooks.upsert
    monkeypatch.setattr(
        outlooks, "upsert", lambda *of, key: (written.extend(of[2]), upsert(*of, key=key))
    )
    policy.deploy(stocked, MAC, OTHER)
    seeding.compute(stocked)

    assert [row["key"] for row in written] == [MAC]


def test_a_change_is_said_at_once_though_the_result_is_the_one_before(stocked):
    """What is shown then is what was stored last."""
    before, _ = stored(stocked)
    policy.deploy(stocked, MAC, OTHER)

    assert (before, False) == stored(stocked)


def test_a_change_of_one_image_leaves_the_results_of_others_current(stocked):
    """And so do its results: of no other image anything is computed again."""
    images.remove_driver(stocked, NAME, "held")
    changed, other = (images.get_image(stocked, name) for name in (NAME, OTHER))

    assert not fleet_results.stored_coverage(stocked, changed).is_current
    assert fleet_results.stored_coverage(stocked, other).is_current


def test_what_nobody_changed_is_not_computed_again(stocked, monkeypatch):
    """A machine that is merely seen again changes nothing."""
    boot(stocked, MAC, f"{NETWORK_CARD} {DISK}")
    monkeypatch.setattr(coverage, "Shelf", None)
    monkeypatch.setattr(driver_relations, "enabled_conflicts", None)

    assert not fleet_results.refresh(stocked)
    assert stored(stocked)[1]


def test_each_step_computes_the_oldest_result_and_any_worker_may_go_on(stocked):
    """Ended in between, another process takes up where the first one was."""
    drivers.enable_driver(stocked, "spare")
    with stocked.database.transaction() as session:
        due = set(computed_results.bases(session))
    steps = 0
    while True:
        other = Site.open(stocked.data)
        more = fleet_results.refresh(other)
        other.database.close()
        other.journal.close()
        if not more:
            break
        steps += 1

    assert steps == 4, "conflicts, machines that lack a driver, and two images"
    assert len(due) == 3 + 2 * len(VARIANTS)
    assert stored(stocked)[1]


def test_results_go_with_their_image(stocked):
    """And nothing is computed of one that was deleted in the meantime."""
    images.delete_image(stocked, OTHER)
    seeding.compute(stocked)

    with stocked.database.transaction() as session:
        keys = session.scalars(select(ComputedRow.key)).all()
    assert not [key for key in keys if "other-pe" in key]
    assert fleet_results._coverages(stocked, "other-pe") == {}


def test_an_edit_of_the_comment_alone_is_not_lost(stocked):
    """It counts as a change of the image: better once too often than once too rarely."""
    with stocked.database.writing() as session:
        find_image(session, NAME).comment = "for lecture halls"
    seeding.compute(stocked)

    assert stored(stocked)[1]


def test_a_site_without_results_says_so(site):
    """Before its worker ran for the first time."""
    seeding.add_image(site, NAME)
    assert fleet_results.stored_coverage(site, images.get_image(site, NAME)) is None
    assert fleet_results.stored_lacking(site) is None
    assert fleet_results.stored_conflicts(site) is None
    assert fleet_results.stored_clashes(site) == ()
