"""Wakes other processes: who has committed touches the file, and the kernel tells those who wait.

SQLite has no notice of commits. Its WAL is written before a commit becomes visible, so watching
that would wake readers too early; the time of the file, which SQLite never reads, is set after it.
Whatever is missed (a program without this, a kernel without watches to spare) is found by the next
look, so waiting is short.
"""

import ctypes
import os
import select
import struct
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

LOOK_SECONDS = 0.25
"""How long a wait may miss what nobody has touched a file for."""

BLIND_SECONDS = 0.05
"""The same where nothing can be watched: no inotify, or a database without a file."""

# inotify(7): the time of a file changed; and its event: watch, mask, cookie, length of the name.
_IN_ATTRIB = 0x4
_EVENT = struct.Struct("iIII")
_READ = 16 << 10


def touch(path: Path) -> None:
    """Tell those who wait for this file."""
    with suppress(OSError):  # they look for themselves in a moment
        os.utime(path)


class Touches:
    """Waits for touches of files of one folder, from its making on. For one thread."""

    def __init__(self, *paths: Path) -> None:
        self._names = {os.fsencode(path.name) for path in paths}
        self._fd = _watched(paths[0].parent) if paths else -1
        self._poll = select.poll()
        if self._fd >= 0:
            self._poll.register(self._fd, select.POLLIN)

    def wait(self, timeout: float) -> None:
        """Until a file is touched, at most `timeout` and at most LOOK_SECONDS."""
        if self._fd < 0:
            time.sleep(max(0.0, min(timeout, BLIND_SECONDS)))
            return
        until = time.monotonic() + min(timeout, LOOK_SECONDS)
        while (left := until - time.monotonic()) > 0:
            if self._poll.poll(1000 * left) and self._took_one():
                return

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _fault: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()

    def _took_one(self) -> bool:
        """Read all events; whether one is about one of the files."""
        data, at, found = os.read(self._fd, _READ), 0, False
        while at < len(data):
            *_, length = _EVENT.unpack_from(data, at)
            at += _EVENT.size + length
            found |= data[at - length : at].rstrip(b"\0") in self._names
        return found


def _watched(folder: Path) -> int:
    """A descriptor with a watch of the folder, or -1: each user may have 128 of them."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = int(libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK))
    if fd >= 0 and libc.inotify_add_watch(fd, os.fsencode(folder), _IN_ATTRIB) < 0:
        os.close(fd)
        return -1
    return fd
