"""Errors of a disk, told from errors of files and programs."""

import errno
from pathlib import Path

import pytest

from netboot.errors import DatabaseFault, DiskFault, InvalidInput, OperatorFault
from netboot.store.content import disk_faults
from netboot.store.content.disk_faults import disk_fault


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS])
def test_a_disk_that_is_full_or_fails_is_one_fault_with_a_hint(number, tmp_path):
    found = disk_fault(OSError(number, "no"), tmp_path)

    assert isinstance(found, DiskFault)
    assert str(tmp_path) in str(found)
    assert found.hint.endswith("Nothing was changed.")


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EACCES, errno.ECONNRESET, errno.EINVAL])
def test_any_other_error_of_the_system_is_not_the_disks(number, tmp_path):
    assert disk_fault(OSError(number, "no"), tmp_path) is None


def test_without_a_folder_the_file_of_the_error_names_the_disk():
    found = disk_fault(OSError(errno.ENOSPC, "No space left on device", "/data/blobs/ab"))
    assert "the disk of /data/blobs is full" in str(found)


@pytest.mark.parametrize("said", ["7z: No space left on device", "There is not enough space on"])
def test_a_program_that_ran_out_of_space_says_so_in_its_own_words(said, tmp_path):
    found = disk_fault(OperatorFault(said), tmp_path)
    assert isinstance(found, DiskFault)
    assert said in str(found)


@pytest.mark.parametrize(
    "said", ["xorriso failed: write: Input/output error", "mcopy failed: Read-only file system"]
)
def test_a_program_that_met_a_failing_disk_says_so_in_its_own_words(said, tmp_path):
    found = disk_fault(OperatorFault(said), tmp_path)
    assert isinstance(found, DiskFault)
    assert "full" not in str(found)
    assert said in str(found)


def test_an_input_that_cannot_be_read_lies_on_another_disk(tmp_path):
    assert disk_fault(InvalidInput("reading failed: Input/output error"), tmp_path) is None


def test_a_program_that_failed_on_a_full_disk_failed_because_of_it(tmp_path, monkeypatch):
    fault = InvalidInput("the archive is damaged")
    assert disk_fault(fault, tmp_path) is None
    monkeypatch.setattr(disk_faults, "_free_bytes", lambda _: 0)
    assert isinstance(disk_fault(fault, tmp_path), DiskFault)


def test_a_database_that_fails_stays_what_it_is(tmp_path, monkeypatch):
    """A job whose database is full is tried again."""
    monkeypatch.setattr(disk_faults, "_free_bytes", lambda _: 0)
    assert disk_fault(DatabaseFault("database or disk is full"), tmp_path) is None
    assert disk_fault(KeyError("x"), tmp_path) is None
    assert disk_fault(OSError(errno.ENOENT, "no", str(Path("/x")))) is None
