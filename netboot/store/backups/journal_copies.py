"""The entries of a journal as text, and a new journal with these entries and their numbers."""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from netboot.errors import ContentFault, DiskFault
from netboot.store.backups.row_copies import in_parts
from netboot.store.boots.journal_writer import open_journal

COLUMNS = ("id", "at", "kind", "mac", "ip", "details")


def parts_of(path: Path, found: dict[str, int]) -> Iterator[bytes]:
    """The entries as of now in parts of a few MiB; `found` gets their number and the last id.

    Raises ContentFault.
    """
    found.update(rows=0, last_id=0)
    if not path.is_file():
        return
    try:
        with closing(open_journal(path)) as connection:
            connection.execute("BEGIN")  # one state, while daemons write
            yield from in_parts(_lines(connection, found))
            last = "SELECT seq FROM sqlite_sequence WHERE name = 'events'"
            found["last_id"] = int((connection.execute(last).fetchone() or (0,))[0])
    except sqlite3.Error as fault:
        raise ContentFault(f"the journal {path} cannot be read: {fault}") from fault


def _lines(connection: sqlite3.Connection, found: dict[str, int]) -> Iterator[str]:
    for row in connection.execute(f"SELECT {', '.join(COLUMNS)} FROM events ORDER BY id"):  # noqa: S608
        found["rows"] += 1
        yield json.dumps(row, ensure_ascii=False)


def make_journal(path: Path, rows: Iterable[list[Any]], last_id: int) -> int:
    """A new journal of these rows; numbers up to `last_id` are not used again. Raises DiskFault."""
    marks = ", ".join("?" * len(COLUMNS))
    try:
        with closing(open_journal(path)) as connection:
            connection.execute("BEGIN")
            connection.executemany(
                f"INSERT INTO events ({', '.join(COLUMNS)}) VALUES ({marks})",  # noqa: S608
                rows,
            )
            count = connection.execute("SELECT count(*) FROM events").fetchone()[0]
            connection.execute("DELETE FROM sqlite_sequence WHERE name = 'events'")
            connection.execute(
                "INSERT INTO sqlite_sequence (name, seq) VALUES ('events', ?)", (last_id,)
            )
            connection.execute("COMMIT")
    except sqlite3.Error as fault:
        raise DiskFault(
            f"the journal cannot be written: {fault}",
            hint="Free some disk space. Nothing was changed.",
        ) from fault
    return int(count)
