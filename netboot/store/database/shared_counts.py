"""Counts within windows of time, in a small SQLite file that several processes share.

A window begins with its first count and has a fixed length.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_TABLE = "CREATE TABLE IF NOT EXISTS counts (key TEXT PRIMARY KEY, count INTEGER, ends REAL)"
_COUNT = """\
INSERT INTO counts VALUES (:key, :amount, :ends)
ON CONFLICT (key) DO UPDATE SET
    count = CASE WHEN ends <= :now THEN :amount ELSE count + :amount END,
    ends = CASE WHEN ends <= :now THEN :ends ELSE ends END
RETURNING count"""

FAULTS = sqlite3.Error
"""Raised by each use of a file that is damaged or cannot be written."""


class SharedCounts:
    """The counts of one file. Any thread of any process may count."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._has_table = False
        with suppress(sqlite3.Error), self._opened():
            pass  # on a full disk the first count tries again

    def add(self, key: str, amount: int, seconds: float) -> int:
        """Add to the open window, or begin one; returns the new count. Deletes ended windows."""
        now = time.time()
        values = {"key": key, "amount": amount, "now": now, "ends": now + seconds}
        with self._opened() as file:
            found: tuple[int] = file.execute(_COUNT, values).fetchone()
            file.execute("DELETE FROM counts WHERE ends <= ?", (now,))
        return found[0]

    def find(self, key: str) -> tuple[int, float]:
        """Count and end of the open window; 0 and the current time if there is none."""
        now = time.time()
        query = "SELECT count, ends FROM counts WHERE key = ? AND ends > ?"
        with self._opened() as file:
            found: tuple[int, float] | None = file.execute(query, (key, now)).fetchone()
        return found or (0, now)

    def list_counts(self, prefix: str) -> list[tuple[str, int, float]]:
        """Key, count and end of each open window whose key begins so."""
        query = "SELECT key, count, ends FROM counts WHERE ends > ? AND substr(key, 1, ?) = ?"
        with self._opened() as file:
            return file.execute(query, (time.time(), len(prefix), prefix)).fetchall()

    def delete(self, key: str) -> None:
        with self._opened() as file:
            file.execute("DELETE FROM counts WHERE key = ?", (key,))

    def delete_all(self) -> int:
        """End all windows; returns their number."""
        with self._opened() as file:
            return file.execute("DELETE FROM counts").rowcount

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """A connection for one call: counting is rare, and threads must not share it."""
        file = sqlite3.connect(self._path, timeout=10)
        try:
            file.execute("PRAGMA synchronous=OFF")  # counts need not survive a power loss
            if not self._has_table:
                file.execute("PRAGMA journal_mode=WAL")
                file.execute(_TABLE)
                self._has_table = True
            with file:
                yield file
        finally:
            file.close()
