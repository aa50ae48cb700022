"""A real disk that is soon full, with a site on it."""

import os
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest

from netboot.operations import jobs
from netboot.site import Site

needs_small_disk = pytest.mark.skipif(os.geteuid() != 0, reason="a small disk needs root")


@contextmanager
def small_site(folder: Path, megabytes: int = 32):
    """A site on a disk of its own."""
    folder.mkdir()
    size = f"size={megabytes}m"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder], check=True)
    site = Site.open(folder / "data")
    assert jobs.list_jobs(site) == []
    assert site.point.numbers() == {}
    try:
        yield site
    finally:
        site.database.close()
        site.journal.close()
        subprocess.run(["umount", "-l", folder], check=True)


def fill(site, leave):
    """Take all space but `leave` bytes."""
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
    found += [*site.data.rglob("*.part"), *site.data.glob("*.try"), *site.data.glob(".*.try")]
    return [path.name for path in found]
