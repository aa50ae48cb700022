import os
import time

import pytest

from netboot.boot.told.events import AddressLearned
from netboot.errors import ContentFault, OperatorFault
from netboot.images.boot_image.properties import Properties
from netboot.operations.drivers import drivers
from netboot.operations.images import images
from netboot.operations.points import cleanup as housekeeping
from netboot.operations.points.cleanup import collect_garbage, verify
from netboot.store.content.point_folder import write_json
from netboot.store.database.jobs import SUCCEEDED
from netboot.store.database.records import ImageRow
from netboot.store.images.rows import find_image
from tests.web.support.seeding import add_driver, add_image, add_version, tell

NAME = "Lab PE x64"
LONG_AGO = 1_600_000_000.0


@pytest.fixture
def site(any_site):
    """Housekeeping reads all rows: on either database."""
    return any_site


@pytest.fixture
def furnished(site, tmp_path):
    """One of everything that names bytes; nothing of it is younger than an hour."""
    add_driver(site, tmp_path, "e1000", enabled=True)
    add_image(site)
    first = add_version(site)
    site.point.update(first, site.blobs, now=time.time())
    background = site.blobs.add_bytes(b"a background picture")
    with site.database.writing() as session:
        row = find_image(session, NAME)
        row.properties = Properties(background=background.digest).to_json()
    program = site.point.blobs.add_bytes(b"iPXE")
    about = {"digest": program.digest, "size": program.size}
    write_json(site.point.programs, {"undionly.kpxe": about})
    picture = site.blobs.add_bytes(b"a screenshot")
    job = site.jobs.submit("boot_test_machine", {}, title="Boot")
    site.jobs.finish(job.id, SUCCEEDED, result={"screenshot": picture.digest})
    grow_old(site)
    return site


def grow_old(site):
    for store in (site.blobs, site.point.blobs):
        for digest in store.digests():
            os.utime(store.path(digest), (LONG_AGO, LONG_AGO))


def everything(site):
    return {*site.blobs.digests()}, {*site.point.blobs.digests()}


def test_what_anything_names_stays(furnished):
    """Drivers, sources, versions, properties, screenshots, programs: all of it is still there."""
    before = everything(furnished)
    done = collect_garbage(furnished, time.time())

    assert (0, 0, (), before) == (done.blobs, done.size, done.versions, everything(furnished))
    assert verify(furnished)[1] == ()


def test_what_nothing_names_goes_once_it_is_old(furnished):
    """A blob whose row never came is let go after an hour, and its bytes are free again."""
    before = everything(furnished)
    orphan = furnished.blobs.add_bytes(b"of an import that was cut off" * 1000)
    young = furnished.blobs.add_bytes(b"of an import that goes on")
    os.utime(furnished.blobs.path(orphan.digest), (LONG_AGO, LONG_AGO))
    done = collect_garbage(furnished, time.time())

    assert (1, orphan.size) == (done.blobs, done.size)
    assert (before[0] | {young.digest}, before[1]) == everything(furnished)


def test_a_deleted_driver_takes_its_files_along(furnished):
    """Unless another one names the same bytes."""
    files = {file.digest for file in drivers.get_driver(furnished, "e1000").files}
    drivers.delete_driver(furnished, "e1000")
    done = collect_garbage(furnished, time.time())

    assert len(files) == done.blobs
    assert not files & everything(furnished)[0]


def test_a_deleted_image_frees_its_versions_in_the_store_and_on_the_point(furnished):
    """Nothing of it is left but what others name."""
    images.delete_image(furnished, NAME)
    done = collect_garbage(furnished, time.time())

    assert done.blobs >= 3
    assert list(furnished.point.versions.iterdir()) == []
    assert [
        furnished.point.blobs.path(digest).read_text() for digest in furnished.point.blobs.digests()
    ] == ["iPXE"]


def test_a_database_that_does_not_know_what_is_served_is_not_believed(furnished):
    """It may be new where the old one was lost: nothing goes until somebody says so."""
    before = everything(furnished)
    with furnished.database.writing() as session:
        session.delete(find_image(session, NAME))

    with pytest.raises(OperatorFault, match=f"does not know what is served: {NAME}") as refusal:
        collect_garbage(furnished, time.time())
    assert "--force" in refusal.value.hint
    assert before == everything(furnished)
    assert collect_garbage(furnished, time.time(), force=True).blobs > 0


def test_an_empty_database_is_not_believed_either(site):
    """All that is stored would go: that is asked back."""
    site.blobs.add_bytes(b"a source of many gigabytes")
    grow_old(site)

    with pytest.raises(OperatorFault, match="refers to nothing that is stored"):
        collect_garbage(site, time.time())
    assert collect_garbage(site, time.time(), force=True).blobs == 1


def test_a_new_site_has_nothing_to_clean(site):
    """And that is no fault."""
    assert collect_garbage(site, time.time()).blobs == 0


def test_damage_at_the_point_stops_the_clean_up(furnished):
    """Who cannot read what is served takes nothing away."""
    before = everything(furnished)
    furnished.point.pointer.write_text("{half")

    with pytest.raises(ContentFault):
        collect_garbage(furnished, time.time())
    assert before == everything(furnished)


def test_old_events_old_jobs_and_leftovers_go(furnished):
    """The journal keeps a quarter of a year; a killed import's staging is thrown away."""
    now = time.time()
    tell(
        furnished,
        AddressLearned(at=now - housekeeping.EVENTS_FOR - 10, mac="52:54:00:00:00:01"),
        AddressLearned(at=now - 10, mac="52:54:00:00:00:02"),
    )
    (furnished.blobs.staging / "999999999-left").mkdir()
    (furnished.point.blobs.staging / "999999999-left").write_bytes(b"half")
    done = collect_garbage(furnished, now)

    assert (done.events, done.jobs, done.leftovers) == (1, 0, 2)
    assert [e.event.mac for e in furnished.journal.latest()] == ["52:54:00:00:00:02"]
    assert collect_garbage(furnished, now + housekeeping.JOBS_FOR + 10).jobs == 1


def test_verify_reads_every_byte(furnished):
    """What was altered or is gone is named with what it is needed for."""
    count, wrong = verify(furnished)
    assert (wrong, count >= 8) == ((), True)
    source = images.get_image(furnished, NAME).source_digest
    furnished.blobs.remove(source)
    version = furnished.point.load().current[NAME]
    served = furnished.point.blobs.path(version.files[0].digest)
    served.chmod(0o644)
    served.write_bytes(b"altered")
    count, wrong = verify(furnished)

    assert len(wrong) == 3  # the point's bytes are the store's
    assert any(
        f"the source of {NAME}" in sentence and "is missing" in sentence for sentence in wrong
    )
    assert any(f"{NAME} v1 as served" in sentence for sentence in wrong)


def test_progress_is_told(furnished):
    """A job shows how far it is, and can be stopped there."""
    stages = []
    collect_garbage(furnished, time.time(), progress=lambda part, stage: stages.append(part))

    assert stages == sorted(stages)
    assert len(stages) > 3


def test_no_row_is_touched(furnished):
    """Housekeeping takes bytes away, never a word about what there is."""
    with furnished.database.transaction() as session:
        before = session.query(ImageRow).one().row_version
    collect_garbage(furnished, time.time())

    with furnished.database.transaction() as session:
        assert before == session.query(ImageRow).one().row_version


def test_damaged_bytes_go_after_ninety_days(furnished):
    """Nobody looked at them; younger ones stay."""
    now = time.time()
    aside = []
    for store in (furnished.blobs, furnished.point.blobs):
        digest = store.add_bytes(b"bytes of " + str(store.root).encode()).digest
        store.set_aside(digest)
        aside.append(store.root / "altered" / digest[7:])
    os.utime(aside[0], (now - housekeeping.ALTERED_FOR - 1,) * 2)
    done = collect_garbage(furnished, now)

    assert (done.altered, aside[0].exists(), aside[1].exists()) == (1, False, True)
