"""Writes events to the journal: a queue, and a thread that commits batches.

The file is SQLite in WAL mode: one row for each event, with its fields as JSON.
"""

import json
import os
import queue
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

from pydantic_core import PydanticSerializationError, to_json

from netboot.boot.told.events import Event, event
from netboot.store.database.changes.touches import touch

SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    kind TEXT NOT NULL,
    mac TEXT NOT NULL,
    ip TEXT NOT NULL,
    details TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS events_by_mac ON events (mac, id);
CREATE INDEX IF NOT EXISTS events_by_at ON events (at);
CREATE INDEX IF NOT EXISTS events_of_starts ON events (id) WHERE kind = 'DhcpStarted';
CREATE INDEX IF NOT EXISTS events_of_counts ON events (id) WHERE kind = 'RequestsCounted';
CREATE INDEX IF NOT EXISTS events_of_networks ON events (id) WHERE kind = 'NetworksChanged';
CREATE INDEX IF NOT EXISTS events_of_others ON events (id) WHERE kind IN ('ForeignOffer');
CREATE INDEX IF NOT EXISTS events_of_silence ON events (id) WHERE kind IN ('RequestIgnored');
CREATE INDEX IF NOT EXISTS events_of_answers ON events (id)
    WHERE kind IN ('OfferSent', 'RequestIgnored');
"""

GATHER = 0.05
"""Seconds that the first event of a batch waits for others."""

BATCH = 1000
PAUSE = 0.5
"""Seconds between attempts to write after a fault."""

BUSY = 5.0
"""Seconds that a statement waits while another process writes."""


@event
class UnknownEvent(Event):
    """A row of a kind or form that this release does not know."""

    name: str
    text: str


class JournalWriter:
    """A queue, and the thread that writes it to the file."""

    def __init__(self, path: Path, capacity: int) -> None:
        self.pid = os.getpid()
        self.dropped = 0
        self.trouble = ""
        self._path = path
        self._queue: queue.Queue[Event | threading.Event | None] = queue.Queue(capacity)
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        self._give_up = threading.Event()
        self._counting = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def put(self, event: Event) -> None:
        """Queue an event; if the queue is full, drop and count it."""
        try:
            self._queue.put_nowait(event)
        except queue.Full:
            with self._counting:
                self.dropped += 1

    def flush(self, timeout: float) -> bool:
        """Wait until all events so far are on disk; False after `timeout` seconds."""
        written = threading.Event()
        try:
            self._queue.put(written, timeout=timeout)
        except queue.Full:
            return False
        return written.wait(timeout)

    def stop(self, timeout: float) -> None:
        """Write the rest for at most `timeout` seconds, then end the thread."""
        try:
            self._queue.put(None, timeout=timeout)
        except queue.Full:
            self._give_up.set()
        self._thread.join(timeout)
        self._give_up.set()
        self._thread.join(BUSY + PAUSE)

    def _run(self) -> None:
        going = True
        while going:
            events, flushed, going = self._gathered()
            while not self._wrote(events):
                if self._give_up.wait(PAUSE):
                    left = [self._queue.get_nowait() for _ in range(self._queue.qsize())]
                    with self._counting:
                        self.dropped += len(events) + sum(isinstance(it, Event) for it in left)
                    going = False
                    break
            else:
                for waiting in flushed:
                    waiting.set()
        self._disconnect()

    def _gathered(self) -> tuple[list[Event], list[threading.Event], bool]:
        """A batch: the events soon after the first; False if they are the last."""
        events: list[Event] = []
        flushed: list[threading.Event] = []
        item = self._queue.get()
        until = time.monotonic() + GATHER
        while item is not None:
            if isinstance(item, threading.Event):
                flushed.append(item)
                until = 0.0  # a caller of flush() waits
            else:
                events.append(item)
            wait = until - time.monotonic()
            try:
                if len(events) >= BATCH:
                    break
                item = self._queue.get(timeout=wait) if wait > 0 else self._queue.get_nowait()
            except queue.Empty:
                break
        return events, flushed, item is not None

    def _wrote(self, events: list[Event]) -> bool:
        """Commit the events; on a fault False, with the reason in `trouble`."""
        if not events:
            return True
        try:
            connection = self._connected()
            # Take the write lock first: SQLite waits here (BUSY), but not where a reader wants it.
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "INSERT INTO events (at, kind, mac, ip, details) VALUES (?, ?, ?, ?, ?)",
                [encoded(event) for event in events],
            )
            connection.execute("COMMIT")
            touch(self._path)
        except (sqlite3.Error, OSError) as fault:
            self.trouble = str(fault)
            self._disconnect()
            return False
        self.trouble = ""
        return True

    def _connected(self) -> sqlite3.Connection:
        """The connection; opens the file again if it was moved or replaced."""
        if self._connection is not None and _inode(self._path) != self._inode:
            self._disconnect()
        if self._connection is None:
            self._connection = open_journal(self._path)
            self._inode = _inode(self._path)
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()  # rolls back
        self._connection = None


def _inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0


def open_journal(path: Path) -> sqlite3.Connection:
    """A connection to the journal, which is created if missing. Raises sqlite3.Error."""
    connection = sqlite3.connect(path, timeout=BUSY, isolation_level=None)
    try:
        # In WAL mode, NORMAL can lose the last commits at a power loss but never damages the file
        # (sqlite.org/pragma.html#pragma_synchronous). A history may lose them.
        connection.execute("PRAGMA synchronous = NORMAL")
        newest = "SELECT 1 FROM sqlite_master WHERE name = 'events_of_answers'"
        known = connection.execute(newest).fetchone()
        if not known:
            # Two processes may create it at the same time: all statements may run twice.
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(SCHEMA)
            path.chmod(0o600)
    except BaseException:
        connection.close()
        raise
    return connection


def encoded(event: Event) -> tuple[float, str, str, str, str]:
    """The row of an event. Lone surrogates, which neither SQLite nor pages accept, become `?`."""
    if isinstance(event, UnknownEvent):
        kind, text = event.name, event.text
    else:
        kind, text = event.kind, _text(event.details())
    return event.at, _plain(kind), _plain(event.mac), _plain(event.ip), _plain(text)


def _text(details: dict[str, Any]) -> str:
    """JSON, by pydantic in a quarter of the time, but it does not accept lone surrogates."""
    try:
        return to_json(details, fallback=str).decode()
    except PydanticSerializationError:
        return json.dumps(details, ensure_ascii=False, separators=(",", ":"), default=str)


def _plain(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
