"""A disk that fills up, at every place where something is written: a real, small one."""

import os
import shutil
import subprocess
import zipfile

import pytest

from netboot.daemons.worker import Worker, _Lane
from netboot.errors import DatabaseFault, DiskFault
from netboot.images.architecture import Architecture
from netboot.operations import jobs, settings
from netboot.operations.drivers import drivers, importing
from netboot.operations.images import images
from netboot.operations.jobs import JobKind
from netboot.site import Site
from netboot.store.content import blobs
from tests.samples.synthetic_winpe import SyntheticWinPe

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a small disk needs root")
LEFT = (0, 4 << 10, 28 << 10, 100 << 10, 400 << 10)


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A site on a disk of 32 MiB, of which no reserve is kept."""
    monkeypatch.setattr(blobs, "SPARE_BYTES", 0)
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", folder], check=True)
    site = Site.open(folder / "data")
    assert jobs.list_jobs(site) == []
    assert site.point.numbers() == {}
    yield site
    site.database.close()
    site.journal.close()
    subprocess.run(["umount", "-l", folder], check=True)


def fill(site, leave):
    with (site.data / "ballast").open("wb", buffering=0) as out:
        for size in (1 << 20, 4096):
            try:
                while True:
                    out.write(bytes(size))
            except OSError:
                pass
        out.truncate(max(0, out.tell() - leave))


def free(site):
    (site.data / "ballast").unlink()


def left_over(site):
    """What unfinished work left behind."""
    found = [*site.blobs.staging.iterdir(), *site.point.blobs.staging.iterdir()]
    found += [*site.data.glob("*.part"), *site.data.glob("*.try"), *site.data.glob(".*.try")]
    return [path.name for path in found]


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
    fill(small, leave)
    with pytest.raises((DiskFault, DatabaseFault), match="full|space"):
        importing.import_drivers(small, pack)
    assert left_over(small) == []
    free(small)
    assert drivers.list_drivers(small) == []
    assert importing.import_drivers(small, pack).new


@pytest.mark.wimlib
@pytest.mark.parametrize("leave", LEFT)
def test_an_import_of_an_image_is_refused_and_works_when_there_is_space(small, tmp_path, leave):
    wim = SyntheticWinPe().capture(tmp_path)
    wim = shutil.copy(wim, tmp_path / "copy.wim") and tmp_path / "copy.wim"
    fill(small, min(leave, wim.stat().st_size // 2))
    with pytest.raises((DiskFault, DatabaseFault), match="full|space"):
        images.import_image(small, wim, name="Windows PE x64")
    assert left_over(small) == []
    free(small)
    assert images.list_images(small) == []
    assert images.import_image(small, wim, name="Windows PE x64").name == "Windows PE x64"


@pytest.mark.parametrize("leave", [0])
def test_a_setting_is_refused_and_the_file_stays_as_it_was(small, leave):
    path = small.data / "netboot.toml"
    path.write_text("web_port = 9000\n")
    fill(small, leave)
    with pytest.raises(DiskFault, match="full"):
        settings.change_settings(small, {"oidc_label": "x" * 3000})
    assert left_over(small) == []
    assert path.read_text() == "web_port = 9000\n"
    free(small)
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
