"""What was read from a file, kept until the file is replaced: asking costs one look at it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")
Mark = tuple[int, int, int]

YOUNG_SECONDS = 0.1
"""A file's time moves in steps of some milliseconds: two writers may share one, and an inode."""


@dataclass(frozen=True, slots=True)
class _Kept(Generic[T]):
    """`mark` is None where the file was too young to be told from the next one."""

    mark: Mark | None
    text: str
    value: T


class KeptFile(Generic[T]):
    """What `understand` makes of the text in `path`. Any thread may ask.

    A file that was replaced is read again, and understood again where it says something else;
    one that was replaced this moment is read each time, so that no later one is missed.
    """

    def __init__(self, path: Path, understand: Callable[[str], T]) -> None:
        self._path = path
        self._understand = understand
        self._kept: _Kept[T] | None = None

    def __call__(self) -> T:
        """What the file holds now. Raises OSError, ValueError, and what `understand` raises."""
        mark, kept = mark_of(self._path), self._kept
        if kept is not None and mark is not None and kept.mark == mark:
            return kept.value
        text = self._path.read_text()
        same = kept is not None and kept.text == text
        value = kept.value if kept is not None and same else self._understand(text)
        is_young = mark is None or time.time() - mark[1] / 1e9 < YOUNG_SECONDS
        self._kept = _Kept(None if is_young else mark, text, value)
        return value


def mark_of(path: Path) -> Mark | None:
    """What tells a file from the one before it; None while there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
