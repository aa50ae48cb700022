import contextlib
import errno
import hashlib
import io
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from netboot.errors import BlobMissing, DigestMismatch, DiskFault, InvalidInput, OperatorFault
from netboot.store.content import blobs as module
from netboot.store.content.blobs import BlobStore, hash_file
from netboot.store.content.disk_faults import explain_disk_fault

LONG_AGO = 1_000_000_000.0


@pytest.fixture
def store(tmp_path):
    return BlobStore(tmp_path / "store")


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def test_a_blob_is_named_by_its_content_and_cannot_be_written(store):
    """What is stored is found under its SHA-256, read-only, in a folder for its owner alone."""
    blob = store.add_bytes(b"boot.wim")

    assert (digest_of(b"boot.wim"), 8) == (blob.digest, blob.size)
    assert store.path(blob.digest).stat().st_mode & 0o777 == 0o444
    assert store.folder.stat().st_mode & 0o777 == 0o700


def test_the_same_bytes_twice_are_one_blob(store):
    """Storing equal content again adds nothing."""
    first, second = store.add_bytes(b"same"), store.add_bytes(b"same")

    assert first == second
    assert [first.digest] == list(store.digests())


def test_many_writers_at_once_store_the_same_bytes_once(store):
    """Eight threads that bring equal content at the same moment all succeed with one blob."""
    data, ready, made = os.urandom(3 << 20), threading.Barrier(8), []

    def add():
        ready.wait()
        made.append(store.add_bytes(data))

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {digest_of(data)} == {blob.digest for blob in made}
    assert len(made) == 8
    assert [digest_of(data)] == list(store.digests())
    assert list(store.staging.iterdir()) == []
    assert len(data) == store.verify(digest_of(data))


def test_nothing_is_left_in_staging_when_the_source_breaks(store):
    """A source that fails in the middle leaves neither a blob nor a part of one."""

    class Breaks(io.BytesIO):
        def read(self, size=-1):
            if self.tell():
                raise OSError(5, "Input/output error")
            return super().read(size)

    with pytest.raises(InvalidInput, match="reading failed: Input/output error"):
        store.add_stream(Breaks(b"x" * (3 * module.CHUNK)))

    assert list(store.digests()) == []
    assert list(store.staging.iterdir()) == []


def test_many_files_are_stored_together_or_not_at_all(store, tmp_path):
    """A thousand small ones at once; where one is not what was said, none is stored."""
    files = {}
    for number in range(50):
        path = tmp_path / f"{number}.sys"
        path.write_bytes(b"driver %d" % number)
        files[digest_of(b"driver %d" % number)] = path
    changed = {**files, digest_of(b"what it was before"): tmp_path / "7.sys"}

    with pytest.raises(InvalidInput, match=r"7\.sys changed during the import"):
        store.add_many(changed)
    assert list(store.digests()) == []
    assert list(store.staging.iterdir()) == []
    store.add_many(files)
    store.add_many(files)
    assert set(files) == set(store.digests())
    assert {len(path.read_bytes()) for path in files.values()} == {
        store.verify(digest) for digest in files
    }
    assert {0o444} == {store.path(digest).stat().st_mode & 0o777 for digest in files}


def test_a_file_that_cannot_be_opened_is_named(store, tmp_path):
    """The operator reads which file, not a traceback."""
    with pytest.raises(InvalidInput, match=r"gone\.wim cannot be read: No such file"):
        store.add_file(tmp_path / "gone.wim")


def test_a_changed_byte_is_found(store):
    """Verification reads the bytes; a blob that was altered is told from one that is gone."""
    blob = store.add_bytes(b"trustworthy")
    path = store.path(blob.digest)
    path.chmod(0o644)
    path.write_bytes(b"trustw0rthy")

    with pytest.raises(DigestMismatch, match="is damaged"):
        store.verify(blob.digest)
    path.unlink()
    with pytest.raises(BlobMissing):
        store.verify(blob.digest)


def test_a_blob_is_taken_from_another_store_without_a_second_copy(store, tmp_path):
    """On one file system both stores name the same bytes on disk."""
    other = BlobStore(tmp_path / "point")
    blob = store.add_bytes(b"shared")

    assert other.take_from(store, blob.digest) is True
    assert other.take_from(store, blob.digest) is False
    assert os.path.samefile(store.path(blob.digest), other.path(blob.digest))


def test_a_digest_that_climbs_is_no_digest(store):
    """Whatever is not 64 hex digits never becomes a path."""
    for name in ("sha256:../../etc/passwd", "sha256:" + "A" * 64, "", "sha256:" + "0" * 63):
        with pytest.raises(ValueError, match="not a sha256 digest"):
            store.path(name)


def test_a_moved_file_is_gone_from_where_it_was(store):
    """A file handed over from staging is not copied, and counts as new whatever its date."""
    with store.staging_folder() as folder:
        built = folder / "boot.wim"
        built.write_bytes(b"built")
        os.utime(built, (LONG_AGO, LONG_AGO))
        blob = store.add_file(built, move=True)

        assert not built.exists()
        assert blob == hash_file(store.path(blob.digest))
        assert store.path(blob.digest).stat().st_mtime > LONG_AGO
    assert not folder.exists()


def test_an_upload_that_would_fill_the_disk_is_refused_before_it_begins(store, monkeypatch):
    """Room is looked at first, and the refusal names how much is needed and how much is free."""
    monkeypatch.setattr(module, "SPARE_BYTES", 1 << 60)

    with pytest.raises(OperatorFault, match="not enough space in"):
        store.check_space(1)


def test_a_blob_is_discarded_only_when_it_is_old(store):
    """What came lately may be about to be named; what was asked for again is young again."""
    old, asked, young = (store.add_bytes(data) for data in (b"old", b"asked", b"young"))
    for blob in (old, asked):
        os.utime(store.path(blob.digest), (LONG_AGO, LONG_AGO))
    assert store.keep(asked.digest) is True
    assert store.keep(digest_of(b"never was")) is False
    hour_ago = time.time() - 3600

    assert store.discard(old.digest, before=hour_ago) == 3
    assert store.discard(asked.digest, before=hour_ago) is None
    assert store.discard(young.digest, before=hour_ago) is None
    assert store.discard(old.digest, before=hour_ago) is None
    assert {asked.digest, young.digest} == set(store.digests())


def test_a_shared_blob_gives_no_room_back_until_its_last_name_goes(store, tmp_path):
    """Bytes that a point has linked are still on the disk after the store lets go of them."""
    other = BlobStore(tmp_path / "point")
    blob = store.add_bytes(b"12345")
    other.take_from(store, blob.digest)
    os.utime(store.path(blob.digest), (LONG_AGO, LONG_AGO))

    assert store.discard(blob.digest, before=time.time()) == 0
    assert other.discard(blob.digest, before=time.time()) == 5


def test_discarding_waits_for_whoever_is_looking(store):
    """A writer that has found a blob keeps it, however close a clean-up comes."""
    blob = store.add_bytes(b"contested")
    os.utime(store.path(blob.digest), (LONG_AGO, LONG_AGO))
    outcome, inside = [], threading.Event()

    def discard():
        inside.set()
        outcome.append(store.discard(blob.digest, before=time.time() - 3600))

    with store._locked(module.fcntl.LOCK_SH):
        thread = threading.Thread(target=discard)
        thread.start()
        inside.wait()
        os.utime(store.path(blob.digest))  # what `keep` does under the lock
    thread.join()

    assert outcome == [None]
    assert store.holds(blob.digest)


def test_leftovers_go_and_work_under_way_stays(store):
    """A killed process leaves its staging behind; a living one keeps what it has."""
    code = "import sys; from netboot.store.content.blobs import *; from pathlib import Path\n"
    code += "import os; store = BlobStore(Path(sys.argv[1]))\n"
    code += "work = store.staging_folder(); folder = work.__enter__()\n"
    code += "(folder / 'half.wim').write_bytes(b'half'); print(folder.name, flush=True)\n"
    code += "os._exit(9)"
    done = subprocess.run(
        [sys.executable, "-c", code, store.root], check=False, capture_output=True, text=True
    )
    (store.staging / "of an older release.part").write_bytes(b"")

    with store.staging_folder() as mine:
        assert {done.stdout.strip(), "of an older release.part", mine.name} == {
            path.name for path in store.staging.iterdir()
        }
        (store.staging / f"{os.getpid()}-of an older release").mkdir()
        assert store.clear_staging() == 3
        assert [mine] == list(store.staging.iterdir())


def test_what_is_no_blob_in_the_folder_disturbs_nobody(store):
    """A file of somebody else's among the blobs is passed over."""
    blob = store.add_bytes(b"ours")
    (store.folder / "lost+found").mkdir()
    (store.folder / "README").write_text("not ours")
    (store.path(blob.digest).parent / "notes.txt").write_text("not ours")

    assert [blob.digest] == list(store.digests())


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_as_such(code, tmp_path):
    """Whether the file system or a quota is at its end."""
    assert "is full" in str(explain_disk_fault(OSError(code, "?"), tmp_path))


FULL_DISK = """
import os, sys
from pathlib import Path
from netboot.errors import OperatorFault
from netboot.store.content.blobs import BlobStore, hash_file

store = BlobStore(Path(sys.argv[1]))
good = store.add_bytes(b"g" * (1 << 20))
filler = Path(sys.argv[1], "filler")
filler.write_bytes(b"f" * ((4 << 20) + 8192))
for attempt in range(3):
    try:
        store.add_bytes(os.urandom(8 << 20))
    except OperatorFault as fault:
        print(fault, "|", fault.hint)
# Room is looked at before many files are stored; here somebody else takes it meanwhile.
source = Path("/dev/shm", f"nb-{os.getpid()}")
source.write_bytes(os.urandom(3 << 20))
store.check_space = lambda size: None
try:
    store.add_many({hash_file(source).digest: source})
except OperatorFault as fault:
    print(fault, "|", fault.hint)
finally:
    source.unlink()
assert list(store.digests()) == [good.digest], "half a blob"
assert store.verify(good.digest) == 1 << 20
assert not list(store.staging.iterdir()), "staging was left"
filler.unlink()
after = store.add_bytes(b"a" * (3 << 20))
assert store.verify(after.digest) == 3 << 20
print("works again")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_disk_that_fills_up_loses_nothing_and_works_again(tmp_path):
    """On a disk of 8 MiB: each try is refused in one sentence, the rest stays whole."""
    mount = f'mount -t tmpfs -o size=8m none {tmp_path} && exec {sys.executable} -c "$0" {tmp_path}'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", mount, FULL_DISK], capture_output=True, text=True
    )

    assert (done.returncode, done.stderr) == (0, "")
    refusal = f"the disk of {tmp_path} is full | Free some disk space. Nothing was changed."
    assert [refusal] * 4 + ["works again"] == done.stdout.splitlines()


def test_the_staging_of_a_zombie_goes(store):
    """Its process id is still taken, but its locks are not."""
    pid = os.fork()
    if pid == 0:
        work = store.staging_folder()
        work.__enter__()
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # ended, and not reaped
    try:
        assert Path(f"/proc/{pid}").is_dir()
        assert store.clear_staging() == 1
    finally:
        os.waitpid(pid, 0)
    assert list(store.staging.iterdir()) == []


@pytest.mark.parametrize("how", ["one", "many", "adopted", "linked"])
def test_a_blob_whose_folder_cannot_be_synced_is_not_trusted_on_a_retry(
    store, tmp_path, monkeypatch, how
):
    """It goes, and the retry writes and syncs it anew."""
    data = b"of an import that failed"
    digest = digest_of(data)
    (tmp_path / "file").write_bytes(data)
    other = BlobStore(tmp_path / "other")
    other.add_bytes(data)
    synced = []

    def add():
        if how == "one":
            store.add_bytes(data)
        elif how == "many":
            store.add_many({digest: tmp_path / "file"})
        elif how == "linked":
            store.take_from(other, digest)
        else:
            with store.staging_folder() as work:
                (work / "it").write_bytes(data)
                store.add_file(work / "it", move=True)

    def fails(*_):
        raise OSError(errno.EIO, "Input/output error")

    @contextlib.contextmanager
    def fails_together(folder):
        yield
        if folder == store.folder:
            fails()

    with monkeypatch.context() as broken:
        broken.setattr(module, "sync_folder", fails)
        broken.setattr(module, "synced_together", fails_together)
        with pytest.raises(DiskFault, match="Input/output error"):
            add()
        assert not store.holds(digest)
        assert list(store.staging.iterdir()) == []
    sync = module.sync_folder
    monkeypatch.setattr(module, "sync_folder", lambda path: (synced.append(path), sync(path)))
    add()
    assert store.verify(digest) == len(data)
    assert how == "many" or store.path(digest).parent in synced
    assert store.path(digest).stat().st_mode & 0o777 == 0o444


def test_a_blob_that_a_crash_left_before_its_folder_was_synced_is_synced_when_it_is_kept(
    store, monkeypatch
):
    """Its mode says so."""
    blob = store.add_bytes(b"cut off")
    store.path(blob.digest).chmod(0o400)
    synced, sync = [], module.sync_folder
    monkeypatch.setattr(module, "sync_folder", lambda path: (synced.append(path), sync(path)))
    assert store.keep(blob.digest)
    assert store.keep(blob.digest)

    assert synced.count(store.path(blob.digest).parent) == 1
    assert store.path(blob.digest).stat().st_mode & 0o777 == 0o444


def test_what_is_stored_already_needs_no_reserve(store, tmp_path, monkeypatch):
    """A start with a full disk stores its programs again; new bytes are refused."""
    known, new = tmp_path / "known", tmp_path / "new"
    known.write_bytes(b"known")
    new.write_bytes(b"new")
    blob = store.add_file(known)
    monkeypatch.setattr(module, "SPARE_BYTES", 1 << 60)

    assert store.add_file(known) == blob
    with pytest.raises(DiskFault, match="not enough space"):
        store.add_file(new)
