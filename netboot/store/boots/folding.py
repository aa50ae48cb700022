"""Folds the journal's entries into boots and writes their rows.

A boot takes minutes, so the boots under way are held in memory. Whoever starts to fold, or finds
that another process went ahead, first reads the entries before the mark again without writing.
"""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from netboot.boot.told.attempt import Attempt
from netboot.boot.told.attempts import Folder
from netboot.store.boots import rows as boot_rows
from netboot.store.boots.journal import Entry, Journal

WARM_UP_SECONDS = 1800.0
"""How far before the mark reading begins, so that boots under way are known from their start."""

WARM_UP_EVENTS = 20_000
KEYS_KNOWN = 5000


class BootFolding:
    """The boots under way, as of the last entry that was folded. For one thread."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._folder = Folder()
        self._keys: dict[int, str] = {}
        self._read_to = -1

    def fold(self, entries: Sequence[Entry], session: Session, *, mark: int) -> None:
        """Write what these entries, the first above `mark`, change. Raises ContentFault."""
        if self._read_to != mark:
            self._warm_up(mark)
        self._read_to = -1  # until all went well
        changed: dict[str, Attempt] = {}
        renamed: set[str] = set()
        for entry in entries:
            attempt = self._folder.add(entry.event)
            if attempt is None:
                continue
            before = self._remember(attempt)
            if before != attempt.key:
                changed.pop(before, None)
                renamed.add(before)
            changed[attempt.key] = attempt
        boot_rows.discard(session, renamed)
        boot_rows.keep(session, changed.values())
        self._read_to = entries[-1].id if entries else mark

    def _warm_up(self, mark: int) -> None:
        """Know the boots that are under way at `mark`.

        The rows are ahead of us where another process wrote them, behind us where a commit
        failed: then what was folded is not in the rows, and all is read again.
        """
        if not max(0, mark - WARM_UP_EVENTS) <= self._read_to < mark:
            self._folder, self._keys = Folder(), {}
            self._read_to = self._first_of_interest(mark)
        for entry in self._journal.events_since(self._read_to, WARM_UP_EVENTS):
            if entry.id > mark:
                break
            attempt = self._folder.add(entry.event)
            if attempt is not None:
                self._remember(attempt)

    def _first_of_interest(self, mark: int) -> int:
        """The entry after which boots may begin that are under way at `mark`."""
        last = self._journal.events_since(mark - 1, 1) if mark else []
        if not last:
            return mark
        first = self._journal.first_id_since(last[0].event.at - WARM_UP_SECONDS)
        return max(first - 1, mark - WARM_UP_EVENTS, 0)

    def _remember(self, attempt: Attempt) -> str:
        """Note the boot's key; returns its key before.

        A boot that was known by its IP address alone gets another key with its MAC address.
        """
        before = self._keys.get(attempt.number, attempt.key)
        self._keys[attempt.number] = attempt.key
        while len(self._keys) > KEYS_KNOWN:
            del self._keys[next(iter(self._keys))]
        return before
