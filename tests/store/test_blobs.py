import hashlib
import io
import os

import pytest

from netboot.errors import BlobMissing, DigestMismatch, InvalidInput, OperatorFault
from netboot.store import blobs as module
from netboot.store.blobs import BlobStore, hash_file


@pytest.fixture
def store(tmp_path):
    return BlobStore(tmp_path / "store")


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def test_a_blob_is_named_by_its_content_and_cannot_be_written(store):
    """What is stored is found under its SHA-256, read-only, in a folder for its owner alone."""
    blob = store.add_bytes(b"boot.wim")

    assert (digest_of(b"boot.wim"), 8) == (blob.digest, blob.size)
    assert 0o444 == store.path(blob.digest).stat().st_mode & 0o777
    assert 0o700 == store.folder.stat().st_mode & 0o777


def test_the_same_bytes_twice_are_one_blob(store):
    """Storing equal content again adds nothing."""
    first, second = store.add_bytes(b"same"), store.add_bytes(b"same")

    assert first == second
    assert [first.digest] == list(store.digests())


def test_nothing_is_left_in_staging_when_the_source_breaks(store):
    """A source that fails in the middle leaves neither a blob nor a part of one."""

    class Breaks(io.BytesIO):
        def read(self, size=-1):
            if self.tell():
                raise OSError(5, "Input/output error")
            return super().read(size)

    with pytest.raises(InvalidInput, match="reading broke off: Input/output error"):
        store.add_stream(Breaks(b"x" * (3 * module.CHUNK)))

    assert [] == list(store.digests())
    assert [] == list(store.staging.iterdir())


def test_a_changed_byte_is_found(store):
    """Verification reads the bytes; a blob that was altered is told from one that is gone."""
    blob = store.add_bytes(b"trustworthy")
    path = store.path(blob.digest)
    path.chmod(0o644)
    path.write_bytes(b"trustw0rthy")

    with pytest.raises(DigestMismatch, match="altered"):
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
    """A file handed over from staging is not copied."""
    with store.staging_folder() as folder:
        built = folder / "boot.wim"
        built.write_bytes(b"built")
        blob = store.add_file(built, move=True)

        assert not built.exists()
        assert blob == hash_file(store.path(blob.digest))
    assert not folder.exists()


def test_an_upload_that_would_fill_the_disk_is_refused_before_it_begins(store, monkeypatch):
    """Room is looked at first, and the refusal names how much is needed and how much is free."""
    monkeypatch.setattr(module, "SPARE_BYTES", 1 << 60)

    with pytest.raises(OperatorFault, match="not enough room"):
        store.check_space(1)
