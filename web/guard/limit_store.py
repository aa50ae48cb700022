"""Sign-in attempts, counted over all processes of the console: a store for the `limits` library.

The library itself has memory (a count for each process) and servers (Redis, Memcached, MongoDB),
which a site would run only for this.
"""

from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from limits.storage import Storage

from netboot.store.database.shared_counts import FAULTS, SharedCounts

_SCHEME = "netboot-limits"


def address_of(path: Path) -> str:
    """The file's address for `limits.storage.storage_from_string`."""
    return f"{_SCHEME}://{quote(str(path))}"


class LimitStore(Storage):
    """The counts in one file, with the library's method names."""

    STORAGE_SCHEME = [_SCHEME]  # noqa: RUF012  # as the library declares it

    def __init__(self, uri: str = "", **_: float | str | bool) -> None:
        super().__init__(uri)
        self._counts = SharedCounts(Path(unquote(urlsplit(uri).path)))

    @property
    def base_exceptions(self) -> type[Exception]:
        return FAULTS

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        return self._counts.add(key, amount, expiry)

    def get(self, key: str) -> int:
        """The count of the current window."""
        return self._counts.find(key)[0]

    def get_expiry(self, key: str) -> float:
        """The end of the current window, in epoch seconds."""
        return self._counts.find(key)[1]

    def check(self) -> bool:
        self._counts.find("")
        return True

    def reset(self) -> int | None:
        return self._counts.delete_all()

    def clear(self, key: str) -> None:
        self._counts.delete(key)
