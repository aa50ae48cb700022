"""Blobs under the names of an OCI layout: found, checked, and stored in parts."""

import contextlib
import hashlib
import os

import pytest

from netboot.errors import DigestMismatch, DiskFault
from netboot.store.content import layout_blobs as module
from netboot.store.content.layout_blobs import LayoutBlobs


@pytest.fixture
def store(tmp_path):
    return LayoutBlobs(tmp_path / "oci")


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


@pytest.fixture
def file(tmp_path):
    """Three parts in a file, by digest."""
    data = os.urandom(3_000_000)
    path = tmp_path / "boot.wim"
    path.write_bytes(data)
    cuts = [(0, 208), (208, 2_000_000), (2_000_208, 999_792)]
    return path, {digest_of(data[at : at + size]): (at, size) for at, size in cuts}


def test_blobs_have_the_names_of_the_format(store):
    """In one folder for the algorithm, and by all 64 digits; they are found again."""
    blob = store.add_bytes(b"layer")

    assert store.folder / "sha256" / digest_of(b"layer")[7:] == store.path(blob.digest)
    assert store.path(blob.digest).read_bytes() == b"layer"
    assert [blob.digest] == list(store.digests())


def test_a_name_that_is_no_digest_is_no_path(store):
    """Nothing outside the folder can be named."""
    with pytest.raises(ValueError, match="not a sha256 digest"):
        store.path("sha256:../../secret")


def test_parts_of_a_file_are_stored_and_read_only(store, file):
    """Each by its digest, and nothing is left in staging."""
    path, parts = file
    store.add_parts(path, parts)

    assert sorted(parts) == list(store.digests())
    assert {0o444} == {store.path(digest).stat().st_mode & 0o777 for digest in parts}
    assert [size for _, size in parts.values()] == [store.verify(digest) for digest in parts]
    assert list(store.staging.iterdir()) == []


def test_a_file_that_changed_meanwhile_leaves_nothing(store, file):
    """All parts or none: the digests were those of the old content."""
    path, parts = file
    with path.open("r+b") as stream:
        stream.seek(2_500_000)
        stream.write(b"changed")

    with pytest.raises(DigestMismatch, match="changed while it was read"):
        store.add_parts(path, parts)
    assert list(store.digests()) == []
    assert list(store.staging.iterdir()) == []


def test_parts_whose_names_may_be_lost_are_not_kept(store, file, monkeypatch):
    """The last sync fails: a failed sync is final, and all parts are deleted."""
    path, parts = file
    plain, calls = module.synced_together, []

    @contextlib.contextmanager
    def failing(folder):
        calls.append(folder)
        with plain(folder):
            yield
        if len(calls) == 2:
            assert len(list(store.digests())) == 3
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(module, "synced_together", failing)
    with pytest.raises(DiskFault, match="Input/output error"):
        store.add_parts(path, parts)
    assert list(store.digests()) == []


def test_a_damaged_blob_is_set_aside(store):
    """It is no longer held, and an administrator can look at it."""
    blob = store.add_bytes(b"layer")
    assert store.keep_whole(blob.digest)
    path = store.path(blob.digest)
    path.chmod(0o644)
    path.write_bytes(b"Layer")

    assert not store.keep_whole(blob.digest)
    assert not store.holds(blob.digest)
    assert (store.root / "altered" / path.name).read_bytes() == b"Layer"
    assert not store.keep_whole(blob.digest)
