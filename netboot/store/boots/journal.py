"""The journal: a file in which several processes record what happens while machines boot.

`emit` puts an event into a queue and returns, so a daemon never waits for a disk. A thread in each
process commits many events in one transaction. If the disk is slow, full or damaged and the queue
is full, events are dropped and counted, and machines continue to boot.

Law: the journal is a history, never a source of truth. An older release can read what a newer one
wrote: it keeps unknown kinds as they are.
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
from netboot.store.database.changes.touches import Touches

__all__ = ["Entry", "Journal", "UnknownEvent"]

_INDEXED = {
    "'ForeignOffer'": "INDEXED BY events_of_others",
    "'RequestIgnored'": "INDEXED BY events_of_silence",
    "'OfferSent', 'RequestIgnored'": "INDEXED BY events_of_answers",
}
"""Kinds with an index of their own. Without INDEXED BY, SQLite scans all recent events instead."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An event in the journal. Ids increase in the order of commits and are never reused."""

    id: int
    event: Event


class Journal:
    """The journal in the file `path`, created on first use."""

    def __init__(
        self, path: Path, *, capacity: int = 20_000, without: tuple[type[Event], ...] = ()
    ) -> None:
        """This object writes no event of the kinds in `without`."""
        self._path = path
        self._without = without
        self._capacity = capacity
        self._lock = threading.Lock()
        self._writer: JournalWriter | None = None
        self._lost = 0
        self._own = threading.local()
        self._closing = threading.Event()

    def emit(self, event: Event) -> None:
        """Queue `event` for writing; never waits, never raises. Any thread may call it."""
        if isinstance(event, self._without):
            return
        writer = self._writer
        if writer is None or writer.pid != os.getpid():
            writer = self._start()
        if writer is not None:
            writer.put(event)

    @property
    def dropped(self) -> int:
        """The number of events of this process that could not be written."""
        return self._lost + (self._writer.dropped if self._writer else 0)

    @property
    def trouble(self) -> str:
        """Why the last attempt to write failed, or empty."""
        return self._writer.trouble if self._writer else ""

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait until all events so far are on disk; False after `timeout` seconds."""
        return self._writer.flush(timeout) if self._writer else True

    def close(self, timeout: float = 5.0) -> None:
        """Write the rest and stop; events that cannot be written in time count as dropped."""
        with self._lock:
            self._closing.set()
            writer, self._writer = self._writer, None
        if writer is not None and writer.pid == os.getpid():
            writer.stop(timeout)
            self._lost += writer.dropped
        self._disconnect()

    def events_since(self, after: int, limit: int = 1000) -> list[Entry]:
        """Entries with ids above `after`, oldest first. Raises ContentFault."""
        return self._select("WHERE id > ? ORDER BY id LIMIT ?", after, limit)

    def latest(self, limit: int = 100, *, mac: str = "") -> list[Entry]:
        """The newest entries, newest first, of all machines or one. Raises ContentFault."""
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

        Each contains all words of `containing`, in its values or field names. `within` is a bound
        for kinds without an index. Raises ContentFault.
        """
        # Literals in this order: SQLite uses a partial index only if the query repeats its
        # condition (sqlite.org/partialindex.html), and parameters could have any value.
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
        """The newest DhcpStarted of any age. Raises ContentFault."""
        found = self._select("WHERE kind = 'DhcpStarted' ORDER BY id DESC LIMIT 1")
        return found[0] if found else None

    def latest_networks(self) -> Entry | None:
        """The newest NetworksChanged of any age. Raises ContentFault."""
        found = self._select("WHERE kind = 'NetworksChanged' ORDER BY id DESC LIMIT 1")
        return found[0] if found else None

    def latest_counts(self, limit: int = 32) -> list[Entry]:
        """The newest RequestsCounted, newest first. Raises ContentFault."""
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
        """The id of the oldest entry since `at`, or 0. Raises ContentFault."""
        with self._connected() as connection:
            found = connection.execute("SELECT min(id) FROM events WHERE at >= ?", (at,)).fetchone()
        return int(found[0] or 0)

    def last_id(self) -> int:
        """The id of the newest entry, or 0. Raises ContentFault."""
        with self._connected() as connection:
            return _last_id(connection)

    def wait_for_change(self, after: int, timeout: float) -> bool:
        """Wait for an entry above `after`, of any process; False after `timeout` or when closed.

        Raises ContentFault.
        """
        until = time.monotonic() + timeout
        with self._connected() as connection, Touches(self._path) as touches:
            while _last_id(connection) <= after:
                left = until - time.monotonic()
                if left <= 0 or self._closing.is_set():
                    return False
                touches.wait(left)
        return True

    def prune(self, *, until: int, before: float = 0.0, keep: int = 1_000_000) -> int:
        """Delete events older than `before` (epoch seconds), and all but the newest `keep`.

        Events with ids above `until` stay. Returns the number. Raises ContentFault.
        """
        deleted = 0
        with self._connected() as connection:
            oldest = _last_id(connection) - keep
            while True:
                # In portions: SQLite has one writer at a time, and the daemons must not wait long.
                rows = connection.execute(
                    "DELETE FROM events WHERE id IN "
                    "(SELECT id FROM events WHERE (id <= ? OR at < ?) AND id <= ? LIMIT 5000)",
                    (oldest, before, until),
                ).rowcount
                deleted += rows
                if rows == 0:
                    return deleted

    def _start(self) -> JournalWriter | None:
        """The writer of this process: a fork has no thread of its parent. None when closed."""
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
        """The connection of this thread; after a fault the next call opens another."""
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
    """A pattern for LIKE: the word anywhere, escaped as in JSON."""
    written = json.dumps(word, ensure_ascii=False)[1:-1]
    return "%" + re.sub(r"([\\%_])", r"\\\1", written) + "%"


def _last_id(connection: sqlite3.Connection) -> int:
    row = connection.execute("SELECT max(id) FROM events").fetchone()
    return int(row[0] or 0)


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
        pass  # from another release, or damaged: shown as it is
    return Entry(number, UnknownEvent(at=at, mac=mac, ip=ip, name=kind, text=text))
