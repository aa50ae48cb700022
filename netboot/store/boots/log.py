"""The boot log: the journal folded into boots, one after another, and kept as rows.

Reading never waits for a writer's turn: what the journal has told since the last `save` is
folded in memory and laid over the rows. Law: what is here may be forgotten and folded again, as
far back as the journal goes.
"""

import threading
from dataclasses import replace

from netboot.boot.told.attempt import Attempt, Outcome
from netboot.boot.told.attempts import Folder, fold
from netboot.store.boots import rows as boot_rows
from netboot.store.boots.hours import hour_of
from netboot.store.boots.journal import Entry, Journal
from netboot.store.boots.rows import BootFilter
from netboot.store.database.records import FactRow
from netboot.store.database.site_database import Database

READ_TO = "boots_read_to"
BATCH = 2000
WARM_UP_SECONDS = 1800.0
"""How far before the mark folding begins, so that boots under way are known whole."""

WARM_UP_EVENTS = 20_000
KEYS_KNOWN = 5000
PENDING = 400
"""So many boots may wait for `save`; with more of them whoever reads saves first."""


class BootLog:
    """The boots of a site. Any thread may ask; several processes may keep the same rows."""

    def __init__(self, database: Database, journal: Journal) -> None:
        self._database = database
        self._journal = journal
        self._lock = threading.Lock()
        self._saving = threading.Lock()
        self._folder = Folder()
        self._read_to = -1
        self._keys: dict[int, str] = {}
        self._pending: dict[str, Attempt] = {}
        self._stale: frozenset[str] = frozenset()

    def catch_up(self) -> None:
        """Take in what the journal has told since. Raises ContentFault where it cannot be read."""
        while self._fold_some():
            if len(self._pending) > PENDING:
                self._write()

    def save(self) -> None:
        """Write what has changed. Raises OperatorFault when the database refuses."""
        self.catch_up()
        self._write()

    def find(self, key: str) -> Attempt | None:
        """One boot with its whole story, as far as the journal still has it."""
        self.catch_up()
        known = self._pending.get(key)
        if known is None:
            with self._database.transaction() as session:
                known = boot_rows.find(session, key)
        if known is None:
            return None
        told = fold(entry.event for entry in self.entries(known))
        return next((attempt for attempt in told if attempt.key == key), known)

    def entries(self, attempt: Attempt) -> list[Entry]:
        """The journal's entries of a boot, oldest first."""
        return self._journal.of_machine(
            attempt.mac, attempt.ip, attempt.began, attempt.last + 0.001
        )

    def newest(self, wanted: BootFilter, limit: int, now: float) -> list[Attempt]:
        """The newest boots that are wanted, newest first, without their steps."""
        self.catch_up()
        pending = dict(self._pending)
        with self._database.transaction() as session:
            # A row that waits to be written anew may be there still, as it was before.
            rows = boot_rows.newest(session, wanted, limit + len(pending), now)
        kept = [row for row in rows if row.key not in pending and row.key not in self._stale]
        fresh = [attempt for attempt in pending.values() if wanted.fits(attempt, now)]
        return _newest([*kept, *fresh], limit)

    def count(self, wanted: BootFilter, now: float) -> int:
        """How many boots are wanted."""
        self.catch_up()
        pending = dict(self._pending)
        with self._database.transaction() as session:
            kept = boot_rows.count(session, wanted, now, [*pending, *self._stale])
        return kept + sum(wanted.fits(attempt, now) for attempt in pending.values())

    def troubled(self, since: float, limit: int, now: float) -> list[Attempt]:
        """Each machine's newest boot, where that went wrong since a moment; newest first."""
        self.catch_up()
        newest = {attempt.machine: attempt for attempt in self._pending.copy().values()}
        with self._database.transaction() as session:
            rows = boot_rows.troubled(session, since, now, limit + len(newest))
        kept = [row for row in rows if row.machine not in newest and row.key not in self._stale]
        wrong = {Outcome.OFFLINE, Outcome.IGNORED, Outcome.STALLED}
        fresh = [one for one in newest.values() if one.outcome(now) in wrong]
        return _newest([*kept, *fresh], limit)

    def by_hour(self, since: float) -> dict[int, tuple[int, int]]:
        """How many boots began in each hour and are online, and how many are not.

        Hours are numbered from the epoch on; `since` is the beginning of one.
        """
        self.catch_up()
        pending = dict(self._pending)
        counts: dict[int, list[int]] = {}
        with self._database.transaction() as session:
            rows = boot_rows.counts_by_hour(session, since, [*pending, *self._stale])
        fresh = [
            (hour_of(one.began), one.outcome(one.last) is Outcome.ONLINE, 1)
            for one in pending.values()
            if one.began >= since
        ]
        for hour, online, count in [*rows, *fresh]:
            counts.setdefault(hour, [0, 0])[0 if online else 1] += count
        return {hour: (online, other) for hour, (online, other) in counts.items()}

    def rates(self, limit: int) -> list[tuple[float, float]]:
        """(when it began, bytes a second of its image) of the newest boots, oldest first."""
        self.catch_up()
        pending = dict(self._pending)
        with self._database.transaction() as session:
            rows = boot_rows.rates(session, limit, [*pending, *self._stale])
        fresh = [(one.began, one.rate) for one in pending.values() if one.rate > 0]
        return sorted([*rows, *fresh])[-limit:]

    def forget(self, *, keep: int) -> int:
        """Forget all but the newest `keep` boots; how many those were."""
        with self._database.writing() as session:
            return boot_rows.discard_oldest(session, keep)

    def _fold_some(self) -> bool:
        """Fold a batch of events; False when there was none."""
        with self._lock:
            newest = self._journal.last_id()
            if self._read_to < 0 or newest < self._read_to:  # at first, or another journal
                self._begin(newest)
            if self._read_to >= newest:
                return False
            entries = self._journal.events_since(self._read_to, BATCH)
            for entry in entries:
                changed = self._folder.add(entry.event)
                if changed is not None:
                    self._changed(changed)
            self._read_to = entries[-1].id if entries else newest
            return True

    def _begin(self, newest: int) -> None:
        """Go on where the rows end; boots that were under way then are folded once more."""
        self._folder, self._keys = Folder(), {}
        with self._database.transaction() as session:
            row = session.get(FactRow, READ_TO)
            mark = int(row.value["id"]) if row is not None else 0
        self._read_to = mark if mark <= newest else 0
        last = self._journal.events_since(self._read_to - 1, 1) if self._read_to else []
        if not last:
            return
        first = self._journal.first_id_since(last[0].event.at - WARM_UP_SECONDS)
        at = max(first - 1, self._read_to - WARM_UP_EVENTS, 0)
        for entry in self._journal.events_since(at, WARM_UP_EVENTS):
            if entry.id > self._read_to:
                break
            attempt = self._folder.add(entry.event)
            if attempt is not None:
                self._keys[attempt.number] = attempt.key

    def _changed(self, attempt: Attempt) -> None:
        """Remember to write it. One that was known by its address alone has another key now."""
        key = attempt.key
        before = self._keys.get(attempt.number, key)
        if before != key:
            self._pending.pop(before, None)
            self._stale = self._stale | {before}
        self._keys[attempt.number] = key
        self._pending[key] = attempt
        while len(self._keys) > KEYS_KNOWN:
            del self._keys[next(iter(self._keys))]

    def _write(self) -> None:
        with self._saving:
            with self._lock:
                pending, stale, read_to = dict(self._pending), self._stale, self._read_to
            if not pending and not stale:
                return
            with self._database.writing() as session:
                boot_rows.discard(session, sorted(stale))
                boot_rows.keep(session, pending.values())
                session.merge(FactRow(name=READ_TO, value={"id": read_to}))
            with self._lock:
                self._stale = self._stale - stale
                for key, attempt in pending.items():
                    if self._pending.get(key) is attempt:
                        del self._pending[key]


def _newest(attempts: list[Attempt], limit: int) -> list[Attempt]:
    """The newest of them as their rows will say it: a boot does not look new for being saved."""
    found = sorted(attempts, key=lambda one: one.began, reverse=True)[:limit]
    return [replace(one, steps=(), dropped_steps=0) if one.steps else one for one in found]
