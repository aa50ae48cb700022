"""Files and pipes that a person names: read to a limit, and never waited for without an end."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

from netboot.errors import InvalidInput

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def open_file(path: Path, *, hint: str = "") -> BinaryIO:
    """Open an ordinary file; its size is what its metadata says.

    Raises InvalidInput for anything else: a pipe or a device may have no end.
    """
    try:
        # A pipe without a writer would keep us waiting.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        mode = os.fstat(fd).st_mode
    except OSError as fault:
        raise InvalidInput(f"{path} cannot be read: {fault.strerror}", hint=hint) from fault
    if not stat.S_ISREG(mode):
        os.close(fd)
        what = next((words for is_kind, words in _KINDS if is_kind(mode)), "no file")
        raise InvalidInput(
            f"{path} is {what}, not a file",
            hint=hint or "Save its content as a file first, and name that.",
        )
    return os.fdopen(fd, "rb")


def read_file(path: Path, limit: int, *, hint: str = "") -> bytes:
    """Read an ordinary file of at most `limit` bytes. Raises InvalidInput."""
    with open_file(path, hint=hint) as stream:
        return read_all(stream, limit, str(path), hint=hint)


def read_all(stream: BinaryIO, limit: int, name: str, *, hint: str = "") -> bytes:
    """Read a file or a pipe to its end, which must come within `limit` bytes.

    `name` is what a person calls it. Raises InvalidInput.
    """
    parts: list[bytes] = []
    room = limit + 1
    try:
        while room and (part := stream.read(min(room, 1 << 20))):
            parts.append(part)
            room -= len(part)
    except OSError as fault:
        raise InvalidInput(f"{name} cannot be read: {fault.strerror}", hint=hint) from fault
    if not room:
        raise InvalidInput(f"{name} is larger than {in_words(limit)}", hint=hint)
    return b"".join(parts)


def in_words(size: int) -> str:
    """A limit for people: `512 KB`, `16 MB`."""
    return f"{size >> 20} MB" if size >= 1 << 20 else f"{size >> 10} KB"
