"""The journal: what happened while machines booted, on disk, told by several processes.

`emit` hands an event to a queue and returns: a daemon never waits for a disk. A thread of the
process's own commits what has gathered, many events in one transaction. When the disk is slow,
full or damaged the queue fills up; then events are dropped and counted, and machines go on
booting.

Law: the journal is an account of events, never a source of truth; losing it loses history only.
What a newer release wrote can be read by an older one: unknown kinds stay rows.
"""

import json
import os
import re
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from netboot.boot.told.events import KINDS, Event
from netboot.errors import ContentFault
from netboot.store.boots.journal_writer import JournalWriter, UnknownEvent, open_journal

__all__ = ["Entry", "Journal", "UnknownEvent"]

_INDEXED = {
    "'ForeignOffer'": "INDEXED BY events_of_others",
    "'RequestIgnored'": "INDEXED BY events_of_silence",
    "'OfferSent', 'RequestIgnored'": "INDEXED BY events_of_answers",
}
"""Which kinds have an index. SQLite would rather walk all events that are young enough."""

POLL = 0.1
"""Seconds between looks for news; a look costs microseconds (PRAGMA data_version)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An event in the journal. Ids rise in the order of commits and are never reused."""

    id: int
    event: Event


class Journal:
    """The journal in the file `path`, made when it is first needed."""

    def __init__(self, path: Path, *, capacity: int = 20_000) -> None:
        self._path = path
        self._capacity = capacity
        self._lock = threading.Lock()
        self._writer: JournalWriter | None = None
        self._lost = 0
        self._own = threading.local()
        self._closing = threading.Event()

    def emit(self, event: Event) -> None:
        """Have `event` written soon; never waits, never raises. Any thread may call it."""
        writer = self._writer
        if writer is None or writer.pid != os.getpid():
            writer = self._start()
        if writer is not None:
            writer.put(event)

    @property
    def dropped(self) -> int:
        """How many events of this process were lost because they could not be written."""
        return self._lost + (self._writer.dropped if self._writer else 0)

    @property
    def trouble(self) -> str:
        """Why the last try to write failed; empty when it did not."""
        return self._writer.trouble if self._writer else ""

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait until all that was emitted so far is on disk; False when it is not in time."""
        return self._writer.flush(timeout) if self._writer else True

    def close(self, timeout: float = 5.0) -> None:
        """Write what is left and stop; what can't be written in time counts as dropped."""
        with self._lock:
            self._closing.set()
            writer, self._writer = self._writer, None
        if writer is not None and writer.pid == os.getpid():
            writer.stop(timeout)
            self._lost += writer.dropped
        self._disconnect()

    def events_since(self, after: int, limit: int = 1000) -> list[Entry]:
        """The entries with ids above `after`, oldest first. Raises ContentFault."""
        return self._select("WHERE id > ? ORDER BY id LIMIT ?", after, limit)

    def latest(self, limit: int = 100, *, mac: str = "") -> list[Entry]:
        """The newest entries, newest first; of one machine where `mac` is given.

        Raises ContentFault.
        """
        if mac:
            return self._select("WHERE mac = ? ORDER BY id DESC LIMIT ?", mac, limit)
        return self._select("ORDER BY id DESC LIMIT ?", limit)

    def latest_of(
        self,
        *kinds: type[Event],
        limit: int,
        within: int = 20_000,
        containing: Sequence[str] = (),
    ) -> list[Entry]:
        """The newest entries of these kinds among the newest `within`, newest first.

        Each of the words `containing` stands somewhere in them, be it in a field's name. Bounded,
        because only what pages ask for has an index of its own. Raises ContentFault.
        """
        # Names as words and in this order, for so the indexes' conditions say it.
        names = ", ".join(f"'{name}'" for name in sorted(kind.__name__ for kind in kinds))
        like = r" AND mac || ' ' || ip || ' ' || details LIKE ? ESCAPE '\'" * len(containing)
        return self._select(
            f"{_INDEXED.get(names, '')} WHERE id > (SELECT max(id) FROM events) - ?"  # noqa: S608 - names of classes only
            f" AND kind IN ({names}){like} ORDER BY id DESC LIMIT ?",
            within,
            *map(_pattern, containing),
            limit,
        )

    def latest_start(self) -> Entry | None:
        """The newest DhcpStarted, however old: it has an index of its own. Raises ContentFault."""
        found = self._select("WHERE kind = 'DhcpStarted' ORDER BY id DESC LIMIT 1")
        return found[0] if found else None

    def latest_counts(self, limit: int = 32) -> list[Entry]:
        """The newest RequestsCounted, newest first: they too have an index. Raises ContentFault."""
        return self._select("WHERE kind = 'RequestsCounted' ORDER BY id DESC LIMIT ?", limit)

    def of_machine(
        self, mac: str, ip: str, began: float, until: float, limit: int = 1000
    ) -> list[Entry]:
        """The entries of a machine between two moments, oldest first. Raises ContentFault."""
        return self._select(
            "WHERE at BETWEEN ? AND ? AND ((mac <> '' AND mac = ?) OR (ip <> '' AND ip = ?))"
            " ORDER BY id LIMIT ?",
            *(began, until, mac, ip, limit),
        )

    def first_id_since(self, at: float) -> int:
        """The id of the oldest entry that is not older than `at`, 0 when there is none.

        Raises ContentFault.
        """
        with self._connected() as connection:
            found = connection.execute("SELECT min(id) FROM events WHERE at >= ?", (at,)).fetchone()
        return int(found[0] or 0)

    def last_id(self) -> int:
        """The id of the newest entry, 0 when there is none. Raises ContentFault."""
        with self._connected() as connection:
            return _last_id(connection)

    def wait_for_change(self, after: int, timeout: float) -> bool:
        """Wait until there is an entry above `after`; False after `timeout` seconds, or closed.

        Entries of all processes count. Raises ContentFault.
        """
        until = time.monotonic() + timeout
        with self._connected() as connection:
            seen = _data_version(connection)
            while _last_id(connection) <= after:
                while _data_version(connection) == seen:
                    if time.monotonic() >= until or self._closing.wait(POLL):
                        return False
                seen = _data_version(connection)
        return True

    def prune(self, *, before: float = 0.0, keep: int = 1_000_000) -> int:
        """Forget events older than `before` (seconds since the epoch), and all but the newest.

        Returns how many were forgotten. Raises ContentFault.
        """
        forgotten = 0
        with self._connected() as connection:
            oldest = _last_id(connection) - keep
            while True:
                # In portions, so that no daemon's writer waits long for its turn.
                rows = connection.execute(
                    "DELETE FROM events WHERE id IN "
                    "(SELECT id FROM events WHERE id <= ? OR at < ? LIMIT 5000)",
                    (oldest, before),
                ).rowcount
                forgotten += rows
                if rows == 0:
                    return forgotten

    def _start(self) -> JournalWriter | None:
        """This process's writer; a fork has none of its parent's threads. None when closed."""
        with self._lock:
            if self._closing.is_set():
                self._lost += 1
                return None
            if self._writer is None or self._writer.pid != os.getpid():
                self._writer = JournalWriter(self._path, self._capacity)
            return self._writer

    def _select(self, rest: str, *values: object) -> list[Entry]:
        with self._connected() as connection:
            rows = connection.execute(
                f"SELECT id, at, kind, mac, ip, details FROM events {rest}",  # noqa: S608 our words
                values,
            ).fetchall()
        return [_decoded(row) for row in rows]

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """This thread's connection; one that failed is opened anew the next time."""
        try:
            if getattr(self._own, "pid", 0) != os.getpid():
                self._own.connection = open_journal(self._path)
                self._own.pid = os.getpid()
            yield self._own.connection
        except (sqlite3.Error, OSError) as fault:
            self._disconnect()
            raise ContentFault(f"the journal {self._path} cannot be read: {fault}") from fault

    def _disconnect(self) -> None:
        if getattr(self._own, "pid", 0) == os.getpid():
            self._own.connection.close()
        self._own.pid = 0


def _pattern(word: str) -> str:
    """A pattern for LIKE: the word anywhere, as it stands in JSON."""
    written = json.dumps(word, ensure_ascii=False)[1:-1]
    return "%" + re.sub(r"([\\%_])", r"\\\1", written) + "%"


def _last_id(connection: sqlite3.Connection) -> int:
    row = connection.execute("SELECT max(id) FROM events").fetchone()
    return int(row[0] or 0)


def _data_version(connection: sqlite3.Connection) -> int:
    """A number that changes when another connection commits."""
    return int(connection.execute("PRAGMA data_version").fetchone()[0])


_OWN_FIELDS = {
    name: frozenset(field.name for field in fields(kind)) - {"at", "mac", "ip"}
    for name, kind in KINDS.items()
}


def _decoded(row: tuple[int, float, str, str, str, str]) -> Entry:
    number, at, kind, mac, ip, text = row
    known = KINDS.get(kind)
    try:
        details: dict[str, Any] = from_json(text)
        if known is not None:
            names = _OWN_FIELDS[kind]
            kept = {name: value for name, value in details.items() if name in names}
            return Entry(number, known(at=at, mac=mac, ip=ip, **kept))
    except (ValueError, TypeError, AttributeError):
        pass  # a row of another release, or a damaged one: shown as it is
    return Entry(number, UnknownEvent(at=at, mac=mac, ip=ip, name=kind, text=text))
