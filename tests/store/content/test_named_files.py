"""Files and pipes that a person names."""

import io
import os
import socket
import threading
from pathlib import Path

import pytest

from netboot.errors import InvalidInput
from netboot.store.content.named_files import in_words, open_file, read_all, read_file


@pytest.fixture
def odd(tmp_path):
    """`odd(kind)`: a path that is no ordinary file."""

    def make(kind):
        path = tmp_path / kind
        match kind:
            case "pipe":
                os.mkfifo(path)
            case "folder":
                path.mkdir()
            case "socket":
                socket.socket(socket.AF_UNIX).bind(str(path))
            case "device":
                path.symlink_to("/dev/zero")
        return path

    return make


@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
def test_what_is_no_file_is_refused_at_once_and_named(odd, kind):
    """Nobody writes to the pipe, and the device never ends."""
    with pytest.raises(InvalidInput, match=f"is a {kind}, not a file") as told:
        open_file(odd(kind))
    assert told.value.hint


def test_a_socket_is_refused_too(odd):
    with pytest.raises(InvalidInput, match="cannot be read"):
        open_file(odd("socket"))


def test_a_file_within_the_limit_is_read_and_a_larger_one_refused(tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes(b"x" * 2000)
    assert read_file(path, 2000) == b"x" * 2000
    with pytest.raises(InvalidInput, match=r"list.txt is larger than 1 KB"):
        read_file(path, 1999)
    with pytest.raises(InvalidInput, match="cannot be read: No such file"):
        read_file(tmp_path / "missing", 10)


def test_a_pipe_is_read_to_its_end_however_its_writer_pauses():
    reading, writing = os.pipe()

    def write():
        with os.fdopen(writing, "wb", buffering=0) as out:
            for part in (b"one ", b"two ", b"three"):
                out.write(part)

    writer = threading.Thread(target=write)
    writer.start()
    with os.fdopen(reading, "rb") as stream:
        assert read_all(stream, 100, "the list") == b"one two three"
    writer.join()


def test_a_pipe_without_an_end_is_refused_at_the_limit():
    with (
        Path("/dev/zero").open("rb") as endless,
        pytest.raises(InvalidInput, match="the list is larger than 4 MB"),
    ):
        read_all(endless, 4 << 20, "the list")
    assert read_all(io.BytesIO(), 0, "nothing") == b""


def test_limits_are_written_as_people_do():
    assert (in_words(512 << 10), in_words(16 << 20)) == ("512 KB", "16 MB")
