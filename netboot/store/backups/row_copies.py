"""The rows of a database as text that SQLite and PostgreSQL both take, of any schema.

A row is a JSON list in the order of its table's columns. JSON columns are copied as their text, so
that not a byte of them changes. Indexes and triggers are no rows: the schema makes them.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, MetaData, Table
from sqlalchemy.exc import DataError, IntegrityError

from netboot.errors import InvalidInput, OperatorFault
from netboot.store.database.text_search import INDEXES

REVISION = "alembic_version"
COUNTERS = "changes"
"""Triggers raise these counters while other tables are filled, so they are copied last."""

AT_ONCE = 1000
PART_BYTES = 4 << 20
_WRAP = 1 << 128


@dataclass(slots=True)
class TableSum:
    """How many rows a table has, and a sum over them that does not depend on their order.

    `last_id` is the last id that was assigned, where the database counts ids.
    """

    columns: list[str]
    rows: int = 0
    sum: int = 0
    last_id: int = 0

    def add(self, line: str) -> None:
        digest = hashlib.blake2b(line.encode(), digest_size=16).digest()
        self.sum = (self.sum + int.from_bytes(digest)) % _WRAP
        self.rows += 1

    def to_json(self) -> dict[str, Any]:
        return {
            "columns": self.columns,
            "rows": self.rows,
            "sum": f"{self.sum:032x}",
            "last_id": self.last_id,
        }

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> "TableSum":
        total = int(value["sum"], 16)
        return TableSum(list(value["columns"]), value["rows"], total, value["last_id"])


def tables_of(connection: Connection) -> list[Table]:
    """The tables with rows to be copied, those that others refer to first."""
    names = [
        name
        for name in sa.inspect(connection).get_table_names()
        # Tables of an index for searches belong to SQLite's fts5, which fills them.
        if name != REVISION and not name.startswith(tuple(INDEXES))
    ]
    found = MetaData()
    found.reflect(connection, only=names)
    return sorted(found.sorted_tables, key=lambda table: table.name == COUNTERS)


def rows_of(connection: Connection, table: Table) -> Iterator[list[Any]]:
    """The rows of a table, JSON as the text that is stored."""
    columns = [_as_text(column) for column in table.columns]
    rows = connection.execute(sa.select(*columns).execution_options(yield_per=AT_ONCE))
    return map(list, rows)


def lines_of(connection: Connection, table: Table, total: TableSum) -> Iterator[str]:
    """Each row of a table as a line; `total` counts them."""
    for row in rows_of(connection, table):
        line = json.dumps(row, ensure_ascii=False, separators=(",", ":"))
        total.add(line)
        yield line
    total.last_id = _last_id(connection, table)


def parts_of(connection: Connection, table: Table, total: TableSum) -> Iterator[bytes]:
    """The lines of a table in parts of a few MiB."""
    return in_parts(lines_of(connection, table, total))


def in_parts(lines: Iterable[str]) -> Iterator[bytes]:
    """Lines joined to parts of a few MiB, which are packed and read one at a time."""
    part: list[bytes] = []
    size = 0
    for line in lines:
        part.append(line.encode())
        size += len(part[-1])
        if size >= PART_BYTES:
            yield b"\n".join(part)
            part, size = [], 0
    if part:
        yield b"\n".join(part)


def sum_of(connection: Connection, table: Table) -> TableSum:
    """The rows of a table as they are now."""
    total = TableSum([column.name for column in table.columns])
    for _ in lines_of(connection, table, total):
        pass
    return total


def clear(connection: Connection, tables: Iterable[Table]) -> None:
    """Delete the rows that a new schema begins with."""
    for table in reversed(list(tables)):
        connection.execute(sa.delete(table))


def fill(
    connection: Connection, table: Table, rows: Iterable[list[Any]], expected: TableSum
) -> None:
    """Insert rows into an empty table, and compare what is in it then with `expected`.

    Raises InvalidInput if they do not fit, OperatorFault if they are different afterwards.
    """
    if {column.name for column in table.columns} != set(expected.columns):
        raise InvalidInput(f"the table {table.name} has other columns in this schema")
    statement = _insert(connection, table, expected.columns)
    lengths = _lengths(connection, table, expected.columns)
    try:
        left = iter(rows)
        while some := list(islice(left, AT_ONCE)):
            _require_fitting(table, some, lengths)
            connection.execute(
                statement, [dict(zip(expected.columns, row, strict=True)) for row in some]
            )
    except (DataError, IntegrityError, ValueError) as fault:
        reason = str(getattr(fault, "orig", None) or fault).partition("\n")[0]
        raise InvalidInput(
            f"a row of {table.name} does not fit the database: {reason}",
            hint="Report this. Nothing was changed.",
        ) from fault
    _set_last_id(connection, table, expected.last_id)
    found = sum_of(connection, _in_order(table, expected.columns))
    if (found.rows, found.sum) != (expected.rows, expected.sum):
        raise OperatorFault(
            f"the table {table.name} has {found.rows} rows of {expected.rows}, or other ones",
            hint="Try again. Nothing was changed.",
        )


def _as_text(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    if isinstance(column.type, sa.JSON):
        return sa.cast(column, sa.Text).label(column.name)
    return column


def _in_order(table: Table, columns: list[str]) -> Table:
    """The table with its columns in this order: migrations may have added them in another."""
    if [column.name for column in table.columns] == columns:
        return table
    return Table(table.name, MetaData(), *(sa.Column(n, table.c[n].type) for n in columns))


def _insert(connection: Connection, table: Table, columns: list[str]) -> sa.Insert:
    values: dict[str, Any] = {}
    plain = []
    for name in columns:
        kind = table.c[name].type
        is_json = isinstance(kind, sa.JSON)
        plain.append(sa.Column(name, sa.Text() if is_json else kind))
        value: Any = sa.bindparam(name, type_=plain[-1].type)
        # SQLite would make a number of it: CAST AS JSON has the affinity NUMERIC there.
        if is_json and connection.dialect.name == "postgresql":
            value = sa.cast(value, sa.JSON)
        values[name] = value
    return sa.insert(Table(table.name, MetaData(), *plain)).values(values)


def _lengths(connection: Connection, table: Table, columns: list[str]) -> list[tuple[int, int]]:
    """Place and length of the texts that the database limits; SQLite limits none."""
    if connection.dialect.name == "sqlite":
        return []
    kinds = [table.c[name].type for name in columns]
    return [
        (place, kind.length or 0) for place, kind in enumerate(kinds) if isinstance(kind, sa.String)
    ]


def _require_fitting(
    table: Table, rows: Iterable[list[Any]], lengths: list[tuple[int, int]]
) -> None:
    """PostgreSQL's own messages name neither row nor column."""
    for row in rows:
        for place, most in lengths:
            value = row[place]
            if not isinstance(value, str):
                continue
            if most and len(value) > most:
                what = f"is longer than {most} characters"
            elif "\0" in value:
                what = "has a NUL character"
            else:
                continue
            raise InvalidInput(
                f"a text in {table.name} {what}, which PostgreSQL does not take:"
                f" {value[:60]!r} (row {row[0]!r})",
                hint="Change or delete what it names, then try again. Nothing was changed.",
            )


def _last_id(connection: Connection, table: Table) -> int:
    """The last id that was assigned, or 0 for a table whose ids are not counted."""
    column = _counted(table)
    if column is None:
        return 0
    largest = int(connection.scalar(sa.select(sa.func.max(column))) or 0)
    sequence = _sequence(connection, column)
    if not sequence:
        return largest
    last, is_used = connection.exec_driver_sql(
        f"SELECT last_value, is_called FROM {sequence}"  # noqa: S608  its name is the database's
    ).one()
    return max(largest, int(last) if is_used else 0)


def _set_last_id(connection: Connection, table: Table, last: int) -> None:
    column = _counted(table)
    sequence = _sequence(connection, column) if column is not None else ""
    if sequence and last:
        connection.execute(sa.select(sa.func.setval(sequence, last)))


def _counted(table: Table) -> sa.Column[Any] | None:
    """The column whose values the database assigns."""
    keys = list(table.primary_key.columns)
    is_number = len(keys) == 1 and isinstance(keys[0].type, sa.Integer)
    return keys[0] if is_number and not keys[0].foreign_keys else None


def _sequence(connection: Connection, column: sa.Column[Any]) -> str:
    if connection.dialect.name != "postgresql":
        return ""
    found = sa.func.pg_get_serial_sequence(column.table.name, column.name)
    return str(connection.scalar(sa.select(found)) or "")
