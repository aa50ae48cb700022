"""The counts of tries, in a small SQLite file that the console's processes share.

The `limits` library offers memory (a count for each process) and servers (Redis, Memcached,
MongoDB), which a site would have to run for this alone. Its windows are fixed: a count and when
it ends.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from limits.storage import Storage

_TABLE = "CREATE TABLE IF NOT EXISTS tries (key TEXT PRIMARY KEY, count INTEGER, ends REAL)"
_COUNT = """\
INSERT INTO tries VALUES (:key, :amount, :ends)
ON CONFLICT (key) DO UPDATE SET
    count = CASE WHEN ends <= :now THEN :amount ELSE count + :amount END,
    ends = CASE WHEN ends <= :now THEN :ends ELSE ends END
RETURNING count"""


_SCHEME = "netboot-limits"


def address_of(path: Path) -> str:
    """The file as `limits.storage.storage_from_string` takes it."""
    return f"{_SCHEME}://{quote(str(path))}"


class LimitStore(Storage):
    """The counts of one file. Any thread of any process may count."""

    STORAGE_SCHEME = [_SCHEME]  # noqa: RUF012  # as the library declares it

    def __init__(self, uri: str = "", **_: float | str | bool) -> None:
        super().__init__(uri)
        self._path = unquote(urlsplit(uri).path)
        with self._opened() as file:
            file.execute("PRAGMA journal_mode=WAL")
            file.execute(_TABLE)

    @property
    def base_exceptions(self) -> type[Exception]:
        """What a damaged file raises."""
        return sqlite3.Error

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count, and forget the windows that have ended."""
        now = time.time()
        values = {"key": key, "amount": amount, "now": now, "ends": now + expiry}
        with self._opened() as file:
            found: tuple[int] = file.execute(_COUNT, values).fetchone()
            file.execute("DELETE FROM tries WHERE ends <= ?", (now,))
        return found[0]

    def get(self, key: str) -> int:
        """The count of the window that is open."""
        return int(self._find(key)[0])

    def get_expiry(self, key: str) -> float:
        """When the window ends, in epoch seconds; now where none is open."""
        return self._find(key)[1]

    def check(self) -> bool:
        """Whether the file can be used."""
        self.get("")
        return True

    def reset(self) -> int | None:
        """Forget all windows."""
        with self._opened() as file:
            return file.execute("DELETE FROM tries").rowcount

    def clear(self, key: str) -> None:
        """Forget one window."""
        with self._opened() as file:
            file.execute("DELETE FROM tries WHERE key = ?", (key,))

    def _find(self, key: str) -> tuple[int, float]:
        now = time.time()
        query = "SELECT count, ends FROM tries WHERE key = ? AND ends > ?"
        with self._opened() as file:
            found: tuple[int, float] | None = file.execute(query, (key, now)).fetchone()
        return found or (0, now)

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """A connection of this call's own: sign-ins are rare, and threads share nothing."""
        file = sqlite3.connect(self._path, timeout=10)
        try:
            file.execute("PRAGMA synchronous=OFF")  # counts of minutes need no disk
            with file:
                yield file
        finally:
            file.close()
