"""Staging: one tree with one time, hashed content, secrets noticed."""

from pathlib import Path

import pytest

from netboot.errors import BlobMissing, DigestMismatch, InvalidInput
from netboot.store.wim.staging import Staging, chunks, sha1_of
from tests.samples.drivers import BlobFolder

AT = 1_234_567_890


@pytest.fixture
def blobs(tmp_path: Path) -> BlobFolder:
    return BlobFolder(tmp_path / "blobs")


@pytest.fixture
def staging(tmp_path: Path, blobs: BlobFolder) -> Staging:
    return Staging(tmp_path / "add", AT, blobs.path)


def test_files_lie_where_they_will_be_in_the_image(staging: Staging, blobs: BlobFolder):
    """Content by bytes and by digest, with size and SHA-1 to expect."""
    staging.write("/Windows/System32/a.cmd", b"echo")
    staging.add("/Tools/b.bin", blobs.add(b"b" * 600_000))
    staging.add("/Tools/empty", blobs.add(b""))

    assert (staging.folder / "Windows/System32/a.cmd").read_bytes() == b"echo"
    assert (staging.folder / "Tools/b.bin").read_bytes() == b"b" * 600_000
    assert staging.expected == {
        "/Windows/System32/a.cmd": [4, sha1_of(b"echo")],
        "/Tools/b.bin": [600_000, sha1_of(b"b" * 600_000)],
        "/Tools/empty": [0, ""],
    }


def test_everything_bears_one_time(staging: Staging):
    """Files and folders, change and access."""
    staging.write("/A/B/c", b"1")
    paths = [staging.folder, *staging.folder.rglob("*")]
    staging.stamp()

    for path in paths:  # listing a folder now would change its time of access
        stat = path.stat()
        assert (int(stat.st_mtime), int(stat.st_atime)) == (AT, AT), path


def test_altered_and_missing_content_is_refused(staging: Staging, blobs: BlobFolder):
    """Digests are checked on the way."""
    digest = blobs.add(b"honest")
    blobs.path(digest).write_bytes(b"altered")

    with pytest.raises(DigestMismatch):
        staging.add("/a", digest)
    with pytest.raises(BlobMissing):
        staging.add("/b", "sha256:" + "0" * 64)


@pytest.mark.parametrize("target", ["/../outside", "relative", "/a/../../b", "/con"])
def test_no_target_leaves_the_tree(target: str, staging: Staging, tmp_path: Path):
    """Plans hold only checked paths; this is the second lock."""
    with pytest.raises(InvalidInput):
        staging.write(target, b"x")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["add", "blobs"]


def test_secrets_are_noticed(staging: Staging):
    """A password in a text that is added is found by file and line."""
    staging.write("/x.ini", b"a=b\r\nUserPassword=S3cret\r\n")
    staging.write("/x.sys", b"UserPassword=S3cret\r\n")

    assert [(secret.path, secret.line) for secret in staging.secrets] == [("/x.ini", 2)]


def test_chunks_are_the_whole(tmp_path: Path):
    """Pieces in one buffer, none lost."""
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 4000)

    with path.open("rb", buffering=0) as stream:
        assert b"".join(bytes(chunk) for chunk in chunks(stream)) == path.read_bytes()
