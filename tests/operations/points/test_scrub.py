import pytest

from netboot.daemons import job_handlers
from netboot.errors import OperatorFault
from netboot.operations import jobs
from netboot.operations.drivers import drivers
from netboot.operations.drivers import importing as driver_import
from netboot.operations.images import images
from netboot.operations.points import points
from netboot.operations.points import scrub as guarding
from netboot.operations.versions import versions
from netboot.store.database.jobs import JobFailed
from netboot.store.images.rows import find_image
from tests.samples.synthetic_winpe import SyntheticWinPe
from tests.web.support.seeding import add_image, add_version, write_driver

NAME = "Windows PE"


class Context:
    """What the worker hands to a handler."""

    def __init__(self, site, job):
        self.site, self.job = site, job

    def progress(self, part, stage):
        assert 0 <= part <= 1


def spoil(store, digest):
    """Change one byte, as a disk does: size and date stay."""
    path = store.path(digest)
    path.chmod(0o644)
    with path.open("r+b") as blob:
        blob.seek(10)
        byte = blob.read(1)[0]
        blob.seek(10)
        blob.write(bytes([byte ^ 1]))
    path.chmod(0o444)


def separate(store, digest):
    """Give the store a copy of its own where it shared the bytes with another."""
    path = store.path(digest)
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data)
    path.chmod(0o444)


@pytest.fixture
def served(site):
    """An image with two versions, the second of them served."""
    add_image(site, NAME, is_lab=False)
    for _ in range(2):
        version = add_version(site, NAME)
        site.point.update(version, site.blobs, now=1.0)
    return site


def test_a_damaged_file_of_a_driver_is_told_and_can_be_brought_again(served, tmp_path):
    """No version holds it yet, so none ends; importing the same package mends it."""
    folder = write_driver(tmp_path / "nb1000")
    driver_import.import_drivers(served, folder)
    driver = drivers.get_driver(served, "nb1000")
    spoil(served.blobs, driver.files[0].digest)
    found = guarding.scrub(served, bytes_per_second=0)

    assert found.alarms == ("driver nb1000: a stored file was altered; import it again",)
    driver_import.import_drivers(served, folder)
    assert guarding.scrub(served, bytes_per_second=0).alarms == ()


def test_an_alarm_fails_the_daily_job(served):
    """So that it stands in red where jobs are looked at, with all that was found."""
    spoil(served.blobs, images.get_image(served, NAME).current.file("boot.wim").digest)
    job = jobs.submit(served, "scrub", {}, title="Daily check")

    with pytest.raises(JobFailed, match="is out of service") as failure:
        job_handlers.carry_out(Context(served, job))
    assert len(failure.value.result["alarms"]) == 1
    assert job_handlers.carry_out(Context(served, job))["alarms"] == ()


def test_what_is_sound_raises_no_alarm(served):
    """All versions and the source are read."""
    found = guarding.scrub(served, bytes_per_second=0)

    assert (found.alarms, found.mended, found.files) == ((), (), 3)
    assert found.size > 0
    assert images.get_image(served, NAME).served_version == 2


def test_a_changed_byte_takes_the_version_out_of_service(served):
    """Machines get it no more, the page knows why, and the bytes are kept to be looked at."""
    version = images.get_image(served, NAME).current
    wim = version.file("boot.wim").digest
    spoil(served.blobs, wim)
    found = guarding.scrub(served, bytes_per_second=0)

    assert (f"{version.label} is out of service: boot.wim was altered",) == found.alarms
    view = images.get_image(served, NAME)
    assert (
        view.served_version,
        view.altered,
        view.distribution,
    ) == (None, {2: ("boot.wim",)}, "ALTERED")
    assert not served.blobs.holds(wim)
    assert (served.data / "altered" / wim[7:]).is_file()
    with pytest.raises(OperatorFault, match="out of service"):
        points.rollback(served, NAME, 2)
    assert points.rollback(served, NAME, 1).changed
    assert guarding.scrub(served, bytes_per_second=0).alarms == ()


@pytest.mark.parametrize("bad", ["site", "point"])
def test_what_another_copy_has_in_order_is_mended_from_there(served, bad):
    """Site and point need not share their bytes; nobody notices."""
    version = images.get_image(served, NAME).current
    wim = version.file("boot.wim").digest
    separate(served.point.blobs, wim)
    store = served.blobs if bad == "site" else served.point.blobs
    spoil(store, wim)
    found = guarding.scrub(served, bytes_per_second=0)

    assert ((), (f"{version.label}: boot.wim",)) == (found.alarms, found.mended)
    assert store.verify(wim) == served.point.blobs.verify(wim)
    assert images.get_image(served, NAME).served_version == 2


def test_a_file_that_is_gone_is_damage_as_well(served):
    """From both places."""
    wim = images.get_image(served, NAME).current.file("boot.wim").digest
    served.blobs.remove(wim)
    served.point.blobs.remove(wim)

    assert len(guarding.scrub(served, bytes_per_second=0).alarms) == 1


@pytest.mark.wimlib
def test_a_damaged_source_is_mended_by_the_same_file(site, tmp_path):
    """The alarm says so; examining and taking the same file ends it."""
    from netboot.operations.images import source as image_source

    wim = SyntheticWinPe().capture(tmp_path)
    source = images.import_image(site, wim, name=NAME).source_digest
    spoil(site.blobs, source)
    found = guarding.scrub(site, bytes_per_second=0)

    assert f"the source of {NAME} was altered" in found.alarms[0]
    assert images.get_image(site, NAME).source_altered_at
    image_source.examine_source(site, NAME, wim)
    view = image_source.take_source(site, NAME)
    assert (source, 0.0) == (view.source_digest, view.source_altered_at)
    assert versions.build_version(site, NAME).built
    assert guarding.scrub(site, bytes_per_second=0).alarms == ()


@pytest.mark.wimlib
def test_a_version_out_of_service_is_built_again(site, tmp_path):
    """The recipe is the same, and still there is something to build."""
    images.import_image(site, SyntheticWinPe().capture(tmp_path), name=NAME)
    first = versions.build_version(site, NAME).version
    points.update_distribution_points(site, NAME)
    spoil(site.blobs, first.file("BCD-uefi").digest)
    row, wrong = points.verify(site, NAME)

    assert (row.status, wrong) == ("ALTERED", ("BCD-uefi",))
    second = versions.build_version(site, NAME)
    assert (second.built, second.version.number) == (True, 2)
    assert points.update_distribution_points(site, NAME).changed
    assert (points.verify(site, NAME)[0].status, points.verify(site, NAME)[1]) == ("CURRENT", ())


def test_the_scrub_reads_slowly_and_can_be_cancelled(served, monkeypatch):
    """It holds back by the bytes it read, and whatever progress raises ends it."""
    waited = []
    monkeypatch.setattr(guarding.time, "sleep", waited.append)
    found = guarding.scrub(served, bytes_per_second=1000)
    assert found.size / 1000 <= sum(waited)

    class Stop(Exception):
        pass

    def stop(part, stage):
        raise Stop

    with pytest.raises(Stop):
        guarding.scrub(served, progress=stop)


def test_an_image_that_was_deleted_meanwhile_is_no_trouble(served):
    """The point is told all the same."""
    version = images.get_image(served, NAME).current
    with served.database.writing() as session:
        session.delete(find_image(session, NAME))
    guarding.take_out_of_service(served, version, ["boot.wim"])

    assert None is served.point.served(NAME)
