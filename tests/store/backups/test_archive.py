import hashlib
import io
import os
import subprocess
import tarfile

import pytest

from netboot.errors import AlreadyExists, DigestMismatch, DiskFault, InvalidInput, NotPermitted
from netboot.store.backups import archive
from netboot.store.backups.archive import (
    BackupFile,
    BackupWriter,
    Contents,
    Head,
    copy_blob,
    new_backup,
    packed,
    unpacked,
)

HEAD = Head("1" * 32, archive.SITE, "0.2.0", "0022", 1.5)


@pytest.fixture
def blob(tmp_path):
    """A blob's file and digest."""
    path = tmp_path / "blob"
    path.write_bytes(os.urandom(3000))
    return path, "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def written(tmp_path, blob):
    """A backup with a part of a table, a file and a blob."""
    path = tmp_path / "one.tar"
    with new_backup(path, HEAD) as out:
        out.add("database/x/000000.jsonl.gz", packed(b'[1,"a"]\n[2,"b"]'))
        out.add("files/secret", b"s")
        assert out.add_blob(*blob, lambda _: None)
        out.finish(Contents({"x": {"rows": 2}}, stores={"site": [blob[1]]}))
    return path


def test_a_backup_is_read_as_it_was_written(written, blob):
    with BackupFile(written) as file:
        file.check()

        assert file.head == HEAD
        assert list(file.lines("database/x")) == [[1, "a"], [2, "b"]]
        assert file.read(file.members["files/secret"]) == b"s"
        assert list(file.blobs()) == [blob[1]]
        assert file.contents.tables == {"x": {"rows": 2}}


def test_tar_unpacks_it_without_a_warning(written, tmp_path):
    """An administrator can get at a single file with what every system has."""
    folder = tmp_path / "out"
    folder.mkdir()
    done = subprocess.run(
        ["tar", "-xf", written, "-C", folder], capture_output=True, text=True, check=True
    )

    assert done.stderr == ""
    assert (folder / "files/secret").read_bytes() == b"s"


def test_members_above_8_gib_have_a_header_that_tar_reads():
    """The classic header ends there (POSIX ustar: eleven octal digits)."""
    header = archive._header("blobs/ab/" + "a" * 64, 9 << 30)

    assert len(header) == 512
    assert tarfile.TarInfo.frombuf(header, "utf-8", "strict").size == 9 << 30


def test_a_damaged_blob_leaves_no_trace(blob):
    """What was written of it is taken back, from the file and from the seal."""
    out, plain = io.BytesIO(), io.BytesIO()
    writer, other = BackupWriter(out, HEAD), BackupWriter(plain, HEAD)
    assert not writer.add_blob(blob[0], "sha256:" + "0" * 64, lambda _: None)
    assert not writer.add_blob(blob[0].with_name("none"), blob[1], lambda _: None)
    for one in (writer, other):
        one.finish(Contents({}))

    assert plain.getvalue() == out.getvalue()


@pytest.mark.parametrize("place", [3, 600, 1600, -600, -1100, -3])
def test_an_altered_byte_is_found(written, place):
    data = bytearray(written.read_bytes())
    data[place] ^= 0x40
    written.write_bytes(data)
    with pytest.raises(InvalidInput), BackupFile(written) as file:
        file.check()


def test_what_unpacks_to_too_much_is_refused(monkeypatch):
    """A few kilobytes may unpack to gigabytes."""
    monkeypatch.setattr(archive, "LARGEST_PART", 1000)
    with pytest.raises(InvalidInput, match="too large"):
        unpacked(packed(bytes(5000)), "x")
    with pytest.raises(InvalidInput, match="cannot be unpacked"):
        unpacked(b"no gzip", "x")
    assert unpacked(packed(bytes(999)), "x") == bytes(999)


def test_a_new_backup_is_there_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "x.tar"
    with pytest.raises(ValueError, match="mine"), new_backup(path, HEAD):
        raise ValueError("mine")

    def full(_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(archive.os, "fsync", full)
        with pytest.raises(DiskFault, match="full"), new_backup(path, HEAD) as out:
            out.finish(Contents({}))
    assert list(tmp_path.iterdir()) == []
    path.write_text("mine")
    with pytest.raises(AlreadyExists), new_backup(path, HEAD):
        pass
    with pytest.raises(NotPermitted), new_backup(tmp_path / "no" / "x.tar", HEAD):
        pass


def test_the_part_of_a_backup_that_is_being_written_stays(tmp_path):
    """Another backup deletes only what a killed one left."""
    (tmp_path / ".netboot-backup-dead.part").write_text("left")
    with new_backup(tmp_path / "one.tar", HEAD) as one:
        with new_backup(tmp_path / "two.tar", HEAD) as two:
            two.finish(Contents({}))
        one.finish(Contents({}))

    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.tar", "two.tar"]


def test_a_copied_blob_has_its_digest(written, blob, tmp_path):
    with BackupFile(written) as file:
        member = file.blobs()[blob[1]]
        copy_blob(file, member, tmp_path / "copy")
        wrong = archive.Member(member.name, member.offset + 1, member.size, member.digest)
        with pytest.raises(DigestMismatch):
            copy_blob(file, wrong, tmp_path / "wrong")

    assert (tmp_path / "copy").read_bytes() == blob[0].read_bytes()
