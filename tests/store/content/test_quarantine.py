import time

from netboot.store.content.blobs import BlobStore
from netboot.store.content.quarantine import SetAside, delete_aside, list_aside


def test_a_store_without_damage_has_nothing_aside(tmp_path):
    """There is not even a folder."""
    assert list_aside(BlobStore(tmp_path / "site").root) == []
    assert not delete_aside(tmp_path / "site", "sha256:" + "0" * 64)


def test_what_was_set_aside_is_known_by_digest_size_and_time(tmp_path):
    """The time is when it was set aside, not when it was stored."""
    store = BlobStore(tmp_path / "site")
    blob = store.add_bytes(b"damaged")
    before = time.time()
    store.set_aside(blob.digest)

    (found,) = list_aside(store.root)
    assert (blob.digest, 7) == (found.digest, found.size)
    assert before - 1 <= found.at <= time.time() + 1
    assert not store.holds(blob.digest)


def test_it_is_deleted_once(tmp_path):
    """Two administrators press the button: the second finds nothing, and nothing breaks."""
    store = BlobStore(tmp_path / "site")
    digests = [store.add_bytes(data).digest for data in (b"one", b"two")]
    for digest in digests:
        store.set_aside(digest)

    assert delete_aside(store.root, digests[0])
    assert not delete_aside(store.root, digests[0])
    assert [digests[1]] == [one.digest for one in list_aside(store.root)]


def test_other_files_in_the_folder_are_left_alone(tmp_path):
    """Somebody's notes beside the evidence."""
    store = BlobStore(tmp_path / "site")
    digest = store.add_bytes(b"damaged").digest
    store.set_aside(digest)
    (store.root / "altered" / "notes.txt").write_text("the disk was replaced")

    assert [SetAside] == [type(one) for one in list_aside(store.root)]
