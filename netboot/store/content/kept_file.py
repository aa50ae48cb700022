"""The content of a file, kept until the file is replaced: each use costs one stat."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")
Mark = tuple[int, int, int]

YOUNG_SECONDS = 0.1
"""File times have steps of milliseconds, and inode numbers are reused: versions may look alike."""


@dataclass(frozen=True, slots=True)
class _Kept(Generic[T]):
    """`mark` is None if the file was too new to be distinguished from the next version."""

    mark: Mark | None
    text: str
    value: T


class KeptFile(Generic[T]):
    """What `understand` makes of the text in `path`. Any thread may use it.

    A replaced file is read again, and understood again if its text differs. A file that was
    replaced a moment ago is read each time, so that no later version is missed.
    """

    def __init__(self, path: Path, understand: Callable[[str], T]) -> None:
        self._path = path
        self._understand = understand
        self._kept: _Kept[T] | None = None

    def __call__(self) -> T:
        """The current content. Raises OSError, ValueError, and what `understand` raises."""
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
    """What distinguishes a file from its previous version; None if there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
