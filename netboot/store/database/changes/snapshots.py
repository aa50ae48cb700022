"""One transaction for everything that a thread reads, on request.

A page calls many operations, and each of them reads the database. In one transaction they all see
the same state, and the change counters are read once.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session, sessionmaker

from netboot.store.database.changes import change_counters as changes


class Snapshot:
    """An open transaction for reading."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.readers = 0
        self.retired = False
        self.numbers: dict[str, int] | None = None


class Snapshots(threading.local):
    """The snapshot of each thread."""

    def __init__(self, make: sessionmaker[Session]) -> None:
        self._make = make
        self._held: Snapshot | None = None
        self.wanted = False

    @contextmanager
    def reading(self) -> Iterator[Snapshot]:
        """The snapshot of the thread, begun if there is none. A fault retires it."""
        snapshot = self._held = self._held or Snapshot(self._make())
        snapshot.readers += 1
        try:
            yield snapshot
        except BaseException:
            self.retire()  # after a failed statement PostgreSQL refuses all others
            raise
        finally:
            snapshot.readers -= 1
            _close_unused(snapshot)

    def numbers(self, session: Session) -> dict[str, int]:
        """The change counters, read once in a snapshot."""
        held = self._held
        if held is None or held.session is not session:
            return changes.numbers(session.connection())
        if held.numbers is None:
            held.numbers = changes.numbers(session.connection())
        return held.numbers

    def retire(self) -> None:
        """Let the next reading begin another snapshot; close this one when it has no reader."""
        held, self._held = self._held, None
        if held is not None:
            held.retired = True
            _close_unused(held)


def _close_unused(snapshot: Snapshot) -> None:
    if snapshot.retired and not snapshot.readers:
        snapshot.session.close()
