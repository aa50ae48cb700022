import json
import os
import stat
import tarfile
import threading
from pathlib import Path

import pytest

from netboot.errors import AlreadyExists, DiskFault, InvalidInput, NotFound, OperatorFault
from netboot.operations import jobs
from netboot.operations.backups import finding, making
from netboot.site import Site
from netboot.store.backups.archive import BackupFile
from tests.support.small_disk import needs_small_disk, small_disk
from tests.web.support.seeding import add_version, boot_events


def test_a_backup_is_one_ordinary_tar_file_for_its_owner(kept, store):
    """tar lists it; blobs are in it once, although site and distribution point both have them."""
    made = making.make_backup(kept, store / "one.tar")
    with tarfile.open(made.file) as archive:
        names = archive.getnames()

    assert stat.S_IMODE(os.stat(made.file).st_mode) == 0o600
    assert {"netboot-backup.json", "files/netboot.toml", "files/secret", "seal.json"} <= set(names)
    assert "files/points/site/current.json" in names
    assert len(names) == len(set(names))
    assert made.blobs == len([name for name in names if name.startswith("blobs/")]) > 3
    assert [path.name for path in store.iterdir()] == ["one.tar"]
    assert making.backup_state(kept).last.id == made.id


def test_a_folder_gets_a_file_for_each_backup(small, store):
    names = {making.make_backup(small, store).file for _ in range(2)}

    assert names == {str(path) for path in store.glob("netboot-*.tar")}
    assert len(names) == 2


def test_an_incremental_backup_holds_only_new_content(small, store):
    """And names the backup that has the rest, also through another incremental one."""
    first = making.make_backup(small, store / "first.tar", incremental=True)
    add_version(small)
    second = making.make_backup(small, store, incremental=True)
    third = making.make_backup(small, store / "third.tar", since=Path(second.file))

    assert first.bases == ()
    assert (second.blobs, second.bases) == (1, ("first.tar",))
    assert third.blobs == 0
    assert set(third.bases) == {"first.tar", Path(second.file).name}
    assert third.size < first.size
    verified = finding.verify_backup(store / "third.tar")
    assert verified.blobs == first.blobs + 1


def test_an_incremental_backup_without_a_whole_earlier_one_is_full(small, store):
    """A new one must not depend on what is lost already."""
    first = making.make_backup(small, store / "first.tar")
    second = making.make_backup(small, store / "second.tar", incremental=True)
    (store / "first.tar").unlink()
    third = making.make_backup(small, store / "third.tar", incremental=True)

    assert second.is_incremental
    assert (third.bases, third.blobs) == ((), first.blobs)
    with pytest.raises(NotFound, match="first.tar"):
        making.make_backup(small, store / "fourth.tar", since=store / "second.tar")


def test_a_backup_goes_on_while_the_site_is_used(kept, store):
    """Rows that are written meanwhile are in it or not, but never half; the next event is there."""
    stop, faults = threading.Event(), []
    event = boot_events("52:54:00:00:00:09")[0]

    def use():
        number = 0
        while not stop.is_set():
            try:
                kept.jobs.submit("clean_up", {"number": number}, title="Busy")
                kept.journal.emit(event)
                number += 1
            except OperatorFault as fault:
                faults.append(fault)

    busy = threading.Thread(target=use)
    busy.start()
    try:
        made = [making.make_backup(kept, store / f"{place}.tar") for place in range(3)]
    finally:
        stop.set()
        busy.join()

    assert faults == []
    assert jobs.count_jobs(kept) > 1
    for one in made:
        assert finding.verify_backup(Path(one.file)).id == one.id
    with BackupFile(store / "2.tar") as file:
        mark = next(
            json.loads(row[1])
            for row in file.lines("database/facts")
            if row[0] == "journal_read_to"
        )
        assert mark["id"] <= file.contents.journal["last_id"]


def test_a_damaged_blob_is_left_out_and_named(small, store):
    """The rest is worth keeping; the backup says what it lacks, and is whole in itself."""
    image = small.point.load().current["Lab PE x64"]
    digest = image.files[0].digest
    for where in (small.blobs, small.point.blobs):
        where.path(digest).chmod(0o600)
        where.path(digest).write_bytes(b"altered")
    made = making.make_backup(small, store / "one.tar")

    assert made.missing == (digest,)
    assert finding.verify_backup(store / "one.tar").missing == (digest,)
    with tarfile.open(made.file) as archive:
        assert not [name for name in archive.getnames() if digest[7:] in name]


@pytest.mark.parametrize("where", ["", "blobs", "new"])
def test_a_backup_into_the_own_data_folder_is_refused(small, where):
    """It would be lost with the site."""
    folder = small.data / where
    folder.mkdir(exist_ok=True)
    with pytest.raises(InvalidInput, match="own data folder"):
        making.make_backup(small, folder / "x.tar")


def test_a_link_into_the_own_data_folder_is_refused(small, tmp_path):
    (tmp_path / "link").symlink_to(small.data)
    with pytest.raises(InvalidInput, match="own data folder"):
        making.make_backup(small, tmp_path / "link" / "x.tar")


def test_a_file_that_exists_and_a_folder_that_does_not_are_refused(small, store):
    (store / "taken.tar").write_text("mine")
    with pytest.raises(AlreadyExists):
        making.make_backup(small, store / "taken.tar")
    with pytest.raises(NotFound, match="no folder"):
        making.make_backup(small, store / "none" / "x.tar")
    assert (store / "taken.tar").read_text() == "mine"
    with pytest.raises(InvalidInput, match="not a backup"):
        making.make_backup(small, store / "x.tar", since=store / "taken.tar")
    assert not (store / "x.tar").exists()


def test_a_backup_that_fails_leaves_nothing(small, store, monkeypatch):
    """Not even a part of it; and parts of one that was killed go with the next."""
    (store / ".netboot-backup-0123456789abcdef.part").write_bytes(b"of one that was killed")

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(making.BackupWriter, "finish", full)
        with pytest.raises(DiskFault, match="full"):
            making.make_backup(small, store / "one.tar")
    assert list(store.iterdir()) == []


def test_the_page_backs_up_into_the_folder_of_the_settings(small, store):
    with pytest.raises(InvalidInput, match="no folder"):
        making.ask_backup(small)
    (small.data / "netboot.toml").write_text(f'backup_folder = "{store}"\n')
    site = Site.open(small.data)
    job = making.ask_backup(site)

    assert job.kind == "back_up"
    assert job.arguments == {"folder": str(store), "incremental": True}
    assert jobs.list_unfinished(site)[0].id == job.id
    (small.data / "netboot.toml").write_text(f'backup_folder = "{small.data}/x"\n')
    with pytest.raises(InvalidInput, match="own data folder"):
        making.ask_backup(Site.open(small.data))


@needs_small_disk
@pytest.mark.parametrize("size", [8, 16, 32])
def test_a_disk_that_fills_up_gets_nothing_of_a_backup(small, tmp_path, size):
    """A real, small one: before the rows, between them, and before the content."""
    with small_disk(tmp_path / "disk", f"{size}k") as folder:
        with pytest.raises(DiskFault, match="full"):
            making.make_backup(small, folder)
        assert list(folder.iterdir()) == []
    assert making.backup_state(small).last is None
