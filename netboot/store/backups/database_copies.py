"""A database in a backup file: every table, and a new database with the same rows."""

import time
import uuid

from sqlalchemy import Connection

from netboot import __version__
from netboot.errors import InvalidInput
from netboot.store.backups import row_copies
from netboot.store.backups.archive import BackupFile, BackupWriter, Head, packed
from netboot.store.database import schema


def new_head(kind: str, revision: str, release: str = __version__) -> Head:
    return Head(uuid.uuid4().hex, kind, release, revision, time.time())


def stamped(name: str) -> str:
    """The name with the time in UTC, to the second, and what tells two of a second apart."""
    now = time.time()
    return f"{name}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}-{int(now * 1000) % 1000:03}"


def add_tables(out: BackupWriter, connection: Connection) -> dict[str, dict[str, object]]:
    """Add all rows of a database; what they are, for the table of contents."""
    found = {}
    for table in row_copies.tables_of(connection):
        total = row_copies.TableSum([column.name for column in table.columns])
        for number, part in enumerate(row_copies.parts_of(connection, table, total)):
            out.add(f"database/{table.name}/{number:06}.jsonl.gz", packed(part))
        found[table.name] = total.to_json()
    return found


def fill_database(source: BackupFile, connection: Connection) -> None:
    """Build the backup's schema in a database without tables, and fill it. Raises InvalidInput."""
    schema.migrate(connection, source.head.schema)
    tables = row_copies.tables_of(connection)
    if {table.name for table in tables} != set(source.contents.tables):
        raise InvalidInput(f"{source.path} has other tables than schema {source.head.schema}")
    row_copies.clear(connection, tables)
    for table in tables:
        expected = row_copies.TableSum.from_json(source.contents.tables[table.name])
        rows = source.lines(f"database/{table.name}")
        row_copies.fill(connection, table, rows, expected)
