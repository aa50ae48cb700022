"""What was read from a file, kept until the file is replaced: asking costs one look at it."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")
Mark = tuple[int, int, int]

YOUNG_SECONDS = 0.1
"""A file's time moves in steps of some milliseconds: two writers may share one, and an inode."""


class KeptFile(Generic[T]):
    """The result of `read`, which is asked again when `path` was replaced. Any thread may ask.

    A file that was replaced this moment is read each time, so that no later one is missed.
    """

    def __init__(self, path: Path, read: Callable[[], T]) -> None:
        self._path = path
        self._read = read
        self._kept: tuple[Mark, T] | None = None

    def __call__(self) -> T:
        """What the file holds now. Raises what `read` raises."""
        mark, kept = mark_of(self._path), self._kept
        if kept is not None and kept[0] == mark:
            return kept[1]
        value = self._read()
        old_enough = mark is not None and time.time() - mark[1] / 1e9 > YOUNG_SECONDS
        self._kept = (mark, value) if mark is not None and old_enough else None
        return value


def mark_of(path: Path) -> Mark | None:
    """What tells a file from the one before it; None while there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
