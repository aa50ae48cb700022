"""A disk that fills up, at every place where something is written: a real, small one."""

import shutil
import zipfile
from dataclasses import replace

import pytest

from netboot.daemons.worker import Worker, _Lane
from netboot.errors import DatabaseFault, DiskFault
from netboot.images.architecture import Architecture
from netboot.operations import jobs, lab, settings
from netboot.operations.accounts import audit
from netboot.operations.drivers import drivers, importing
from netboot.operations.images import images
from netboot.operations.jobs import JobKind
from tests.samples.synthetic_winpe import SyntheticWinPe
from tests.support.small_disk import fill, free, left_over, needs_small_disk

pytestmark = needs_small_disk
LEFT = (0, 4 << 10, 28 << 10, 100 << 10, 400 << 10)


@pytest.fixture
def pack(lab, tmp_path):
    """A ZIP with a driver package that has some size when extracted."""
    path = tmp_path / "pack.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in lab.driver_folder("e1000", Architecture.X64).iterdir():
            archive.write(file, file.name)
        archive.writestr("padding.bin", bytes(2 << 20))
    return path


@pytest.mark.parametrize("leave", LEFT)
def test_an_import_of_drivers_is_refused_and_works_when_there_is_space(small, pack, leave):
    fill(small.data, leave)
    with pytest.raises((DiskFault, DatabaseFault), match="full|space"):
        importing.import_drivers(small, pack)
    assert left_over(small) == []
    free(small.data)
    assert drivers.list_drivers(small) == []
    assert importing.import_drivers(small, pack).new


@pytest.mark.wimlib
@pytest.mark.parametrize("leave", LEFT)
def test_an_import_of_an_image_is_refused_and_works_when_there_is_space(small, tmp_path, leave):
    wim = SyntheticWinPe().capture(tmp_path)
    wim = shutil.copy(wim, tmp_path / "copy.wim") and tmp_path / "copy.wim"
    fill(small.data, min(leave, wim.stat().st_size // 2))
    with pytest.raises((DiskFault, DatabaseFault), match="full|space"):
        images.import_image(small, wim, name="Windows PE x64")
    assert left_over(small) == []
    free(small.data)
    assert images.list_images(small) == []
    assert images.import_image(small, wim, name="Windows PE x64").name == "Windows PE x64"


@pytest.mark.parametrize("leave", [0])
def test_a_setting_is_refused_and_the_file_stays_as_it_was(small, leave):
    path = small.data / "netboot.toml"
    path.write_text("web_port = 9000\n")
    fill(small.data, leave)
    with pytest.raises(DiskFault, match="full"):
        settings.change_settings(small, {"oidc_label": "x" * 3000})
    assert left_over(small) == []
    assert path.read_text() == "web_port = 9000\n"
    free(small.data)
    settings.change_settings(small, {"web_port": "9001"})
    assert "9001" in path.read_text()


def test_an_error_of_the_disk_in_a_job_is_the_disks_and_not_netboots(small, monkeypatch):
    """Wherever in the work it comes up."""
    from netboot.daemons import job_handlers

    def fails(_context, **_):
        raise OSError(5, "Input/output error", str(small.data / "blobs" / "x"))

    monkeypatch.setitem(job_handlers.HANDLERS, JobKind.CLEAN_UP, fails)
    job = jobs.submit(small, JobKind.CLEAN_UP, {}, title="Clean")
    lane = _Lane("test", (JobKind.CLEAN_UP,))
    lane.looked = float("inf")
    Worker(small)._lane(lane)
    failed = jobs.get_job(small, job.id)

    assert failed.state == "failed"
    assert "Input/output error" in failed.message
    assert "error of netboot itself" not in failed.message


def test_a_boot_test_on_a_full_disk_is_refused_and_not_forgotten_half(small, monkeypatch):
    there = replace(lab.lab_status(small), available=True)
    monkeypatch.setattr(lab, "lab_status", lambda _site: there)
    machine = {"firmware": "bios-x64", "nic": "e1000", "memory": 512}
    fill(small.data, 0)
    with pytest.raises(DatabaseFault, match="full"):
        for _ in range(200):  # what the database has in hand takes a few rows
            lab.ask_boot(small, **machine)
    before = jobs.list_jobs(small, limit=500)
    free(small.data)
    assert lab.ask_boot(small, **machine).state == "queued"
    assert len(jobs.list_jobs(small, limit=500)) == len(before) + 1


def test_a_change_that_cannot_be_noted_is_refused_and_one_that_is_made_gets_its_entry(small):
    entry = {"actor": "ada", "via": audit.VIA_PAGE, "action": "images.build"}
    noted = audit.begin(small, **entry)
    fill(small.data, 0)
    with pytest.raises(DatabaseFault, match="full"):
        for _ in range(200):
            audit.begin(small, **entry, details={"padding": "x" * 200})
    assert audit.entries(small) == []
    audit.finish(small, noted, **entry)
    free(small.data)
    audit.write_late_entries(small)
    assert [one.action for one in audit.entries(small)] == ["images.build"]
    assert audit.verify(small).faults == ()
