"""Folds the entries of the journal into boots and writes their rows.

A boot takes minutes, so boots in progress stay in memory. After a start, or if another process has
moved the mark, the entries before the mark are read again without writing.
"""

from collections.abc import Sequence

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from netboot.boot.told.attempt import Attempt
from netboot.boot.told.attempts import Folder
from netboot.store.boots import rows as boot_rows
from netboot.store.boots.journal import Entry, Journal

WARM_UP_SECONDS = 1800.0
"""How far before the mark reading begins, so that boots in progress are complete."""

WARM_UP_EVENTS = 20_000
KEYS_KNOWN = 5000

ODD = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    SQLAlchemyError,
    TypeError,
    ValueError,
)
"""What an entry may raise that netboot does not understand, or that meets a bug."""

log = structlog.get_logger()


class BootFolding:
    """The boots in progress, as of the last entry that was folded. For one thread."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._folder = Folder()
        self._keys: dict[int, str] = {}
        self._read_to = -1

    def fold(self, entries: Sequence[Entry], session: Session, *, mark: int) -> None:
        """Write the changes by these entries, the first after `mark`. Raises ContentFault."""
        if self._read_to != mark:
            self._warm_up(mark)
        self._read_to = -1  # after a fault below, memory and rows differ: read again
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
        """Read the boots that are in progress at `mark`.

        The rows are ahead of memory if another process wrote them, and behind it if a commit
        failed. In the second case everything is read again.
        """
        if not max(0, mark - WARM_UP_EVENTS) <= self._read_to < mark:
            self._folder, self._keys = Folder(), {}
            self._read_to = self._first_of_interest(mark)
        for entry in self._journal.events_since(self._read_to, WARM_UP_EVENTS):
            if entry.id > mark:
                break
            try:
                attempt = self._folder.add(entry.event)
            except ODD as bug:  # set aside when it was new; see the projector
                log.warning("entry passed over", entry=entry.id, error=type(bug).__name__)
                continue
            if attempt is not None:
                self._remember(attempt)

    def _first_of_interest(self, mark: int) -> int:
        """The entry after which the boots in progress at `mark` may have begun."""
        last = self._journal.events_since(mark - 1, 1) if mark else []
        if not last:
            return mark
        first = self._journal.first_id_since(last[0].event.at - WARM_UP_SECONDS)
        return max(first - 1, mark - WARM_UP_EVENTS, 0)

    def _remember(self, attempt: Attempt) -> str:
        """Note the key of the boot; returns its previous key.

        The key changes when a boot of which only the IP address was known gets a MAC address.
        """
        before = self._keys.get(attempt.number, attempt.key)
        self._keys[attempt.number] = attempt.key
        while len(self._keys) > KEYS_KNOWN:
            del self._keys[next(iter(self._keys))]
        return before
