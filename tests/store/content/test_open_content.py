import contextlib
import os
import threading

import pytest

from netboot.boot.files.names import ContentRef
from netboot.errors import BlobMissing, DigestMismatch
from netboot.store.content import open_content as module
from netboot.store.content.blobs import BlobStore
from netboot.store.content.open_content import ContentCache


@pytest.fixture
def store(tmp_path):
    return BlobStore(tmp_path)


@pytest.fixture
def cache(store):
    return ContentCache(store.path)


def ref_to(store, data, name="boot.wim"):
    blob = store.add_bytes(data)
    return ContentRef(name, blob.digest, blob.size)


def open_descriptors(tmp_path):
    """Descriptors of the store's own files: other tests' garbage may close its own meanwhile."""
    links = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # the listing's own descriptor
            links.append(os.readlink(f"/proc/self/fd/{name}"))
    return sum(link.startswith(f"{tmp_path}/") for link in links)


def test_view_and_descriptor_show_the_same_bytes(store, cache):
    """TFTP reads the view, HTTP sends from the descriptor; neither can write."""
    content = cache.open(ref_to(store, b"bytes of a version"))

    assert (
        bytes(content.view),
        content.size,
        content.view.readonly,
    ) == (b"bytes of a version", 18, True)
    assert os.pread(content.fd, 100, 0) == b"bytes of a version"
    content.close()


def test_readers_of_one_blob_share_one_mapping(store, cache, tmp_path):
    """A hundred machines that load one image cost one descriptor; the last one's end counts."""
    ref = ref_to(store, b"image")
    first = cache.open(ref)
    before = open_descriptors(tmp_path)
    others = [cache.open(ref) for _ in range(99)]

    assert (before, {first.fd}) == (open_descriptors(tmp_path), {other.fd for other in others})
    first.close()
    first.close()
    assert {b"image"} == {bytes(other.view) for other in others}


def test_a_transfer_outlives_its_blob(store, cache):
    """What was opened is read to its end though the file was removed meanwhile."""
    ref = ref_to(store, b"x" * 100_000)
    content = cache.open(ref)
    store.remove(ref.digest)

    assert bytes(content.view) == b"x" * 100_000
    content.close()


def test_an_empty_file_can_be_opened(store, cache):
    """A file of no bytes cannot be mapped, and is served all the same."""
    content = cache.open(ref_to(store, b""))

    assert (content.size, bytes(content.view)) == (0, b"")
    content.close()


def test_a_missing_blob_is_our_fault(store, cache):
    """The fault names the file that a machine asked for."""
    ref = ref_to(store, b"soon gone", "bootmgfw.efi")
    store.remove(ref.digest)

    with pytest.raises(BlobMissing, match=r"bootmgfw\.efi"):
        cache.open(ref)


def test_a_link_is_not_followed(store, cache, tmp_path):
    """A blob is a file; a link in its place could lead anywhere."""
    ref = ref_to(store, b"blob")
    path = store.path(ref.digest)
    path.unlink()
    path.symlink_to("/etc/hostname")

    with pytest.raises(BlobMissing):
        cache.open(ref)


def test_a_blob_of_another_size_is_not_served_and_costs_nothing(store, cache, tmp_path):
    """A truncated file is refused at once, and its descriptor given back."""
    ref = ref_to(store, b"whole")
    path = store.path(ref.digest)
    path.chmod(0o644)
    path.write_bytes(b"who")
    before = open_descriptors(tmp_path)

    for _ in range(10):
        with pytest.raises(DigestMismatch, match="3 bytes found, but 5 were published"):
            cache.open(ref)
    assert before == open_descriptors(tmp_path)


@pytest.mark.parametrize("in_use", [False, True])
def test_a_blob_that_is_cut_off_after_it_was_opened_is_not_served(store, cache, tmp_path, in_use):
    """Its mapping is given up, and whoever puts the right bytes back is served again."""
    before = open_descriptors(tmp_path)
    ref = ref_to(store, b"whole")
    reader = cache.open(ref)
    if not in_use:
        reader.close()
    path = store.path(ref.digest)
    path.chmod(0o644)
    os.truncate(path, 3)
    with pytest.raises(DigestMismatch, match="3 bytes found, but 5 were published"):
        cache.open(ref)

    path.unlink()
    path.write_bytes(b"whole")
    again = cache.open(ref)
    assert bytes(again.view) == b"whole"
    again.close()
    reader.close()
    assert before + 2 == open_descriptors(tmp_path)  # the new mapping stays open


def test_only_so_many_idle_files_stay_open(store, cache, tmp_path):
    """After a morning of many versions the cache holds the last few, and those in use."""
    before = open_descriptors(tmp_path)
    held = cache.open(ref_to(store, b"in use all the time"))
    for number in range(3 * module.IDLE_KEPT):
        cache.open(ref_to(store, b"%d" % number)).close()

    kept = module.IDLE_KEPT + 1
    assert before + 2 * kept == open_descriptors(tmp_path)  # mmap keeps one of its own
    assert bytes(held.view) == b"in use all the time"
    held.close()


def test_threads_open_and_close_without_harm(store, cache):
    """Sixteen threads over forty blobs: every byte right, nothing left in use."""
    refs = [ref_to(store, b"%d" % number * 1000) for number in range(40)]
    faults = []

    def work(seed):
        for turn in range(200):
            number = (seed * 7 + turn * 13) % 40
            content = cache.open(refs[number])
            if bytes(content.view) != b"%d" % number * 1000:
                faults.append(number)
            content.close()

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert faults == []
    assert {0} == {mapping.users for mapping in cache._open.values()}
