"""A limited number of places that several processes share.

Each place is one byte of a file, locked by its holder (fcntl(2), advisory record locks). The kernel
frees the places of a process that ends, so a crash loses none.
"""

import fcntl
import os
import threading
from pathlib import Path


class Places:
    """The places of one file. Any thread may take one and give it back."""

    def __init__(self, path: Path, count: int) -> None:
        self._count = count
        self._own: set[int] = set()
        self._lock = threading.Lock()
        # One descriptor for the life of the process: closing any would free all its locks.
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @property
    def held(self) -> int:
        return len(self._own)

    def take(self) -> int | None:
        """A free place, or None if all are taken."""
        with self._lock:
            for place in range(self._count):
                if place not in self._own and self._try(place):
                    self._own.add(place)
                    return place
        return None

    def give_back(self, place: int) -> None:
        with self._lock:
            self._own.discard(place)
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, place)

    def _try(self, place: int) -> bool:
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except (BlockingIOError, PermissionError):  # Linux says one, POSIX allows the other
            return False
        return True
