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
def small_disk(folder: Path, size: str):
    """An empty disk at `folder`, of a size as mount writes it: 8m, 900k."""
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder]
    subprocess.run(mount, check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@contextmanager
def small_site(folder: Path, megabytes: int = 32):
    """A site on a disk of its own."""
    with small_disk(folder, f"{megabytes}m"):
        site = Site.open(folder / "data")
        assert jobs.list_jobs(site) == []
        assert site.point.numbers() == {}
        try:
            yield site
        finally:
            site.database.close()
            site.journal.close()


def fill(folder: Path, leave: int = 0):
    """Take all space of the disk of `folder` but `leave` bytes."""
    with (folder / "ballast").open("wb", buffering=0) as out:
        for size in (1 << 20, 4096):
            try:
                while True:
                    out.write(bytes(size))
            except OSError:
                pass
        out.truncate(max(0, out.tell() - leave))


def free(folder: Path):
    (folder / "ballast").unlink()


def left_over(site):
    """What unfinished work left behind."""
    found = [*site.blobs.staging.iterdir(), *site.point.blobs.staging.iterdir()]
    found += [*site.data.rglob("*.part"), *site.data.glob("*.try"), *site.data.glob(".*.try")]
    return [path.name for path in found]
