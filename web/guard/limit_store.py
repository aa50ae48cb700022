"""Tries to sign in, counted over all processes of the console, as the `limits` library wants it.

The library itself offers memory (a count for each process) and servers (Redis, Memcached,
MongoDB), which a site would have to run for this alone.
"""

from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from limits.storage import Storage

from netboot.store.database.shared_counts import FAULTS, SharedCounts

_SCHEME = "netboot-limits"


def address_of(path: Path) -> str:
    """The file as `limits.storage.storage_from_string` takes it."""
    return f"{_SCHEME}://{quote(str(path))}"


class LimitStore(Storage):
    """The counts of one file, by the library's names."""

    STORAGE_SCHEME = [_SCHEME]  # noqa: RUF012  # as the library declares it

    def __init__(self, uri: str = "", **_: float | str | bool) -> None:
        super().__init__(uri)
        self._counts = SharedCounts(Path(unquote(urlsplit(uri).path)))

    @property
    def base_exceptions(self) -> type[Exception]:
        """What a damaged file raises."""
        return FAULTS

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count."""
        return self._counts.add(key, amount, expiry)

    def get(self, key: str) -> int:
        """The count of the window that is open."""
        return self._counts.find(key)[0]

    def get_expiry(self, key: str) -> float:
        """When that window ends, in epoch seconds."""
        return self._counts.find(key)[1]

    def check(self) -> bool:
        """Whether the file can be used."""
        self._counts.find("")
        return True

    def reset(self) -> int | None:
        """Forget all windows."""
        return self._counts.delete_all()

    def clear(self, key: str) -> None:
        """Forget one window."""
        self._counts.delete(key)
