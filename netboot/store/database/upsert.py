"""Writes rows that may exist already, on either database."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from netboot.store.database.records import Row


def upsert(
    session: Session,
    kind: type[Row],
    rows: Sequence[dict[str, Any]],
    *,
    key: str,
    summed: Collection[str] = (),
) -> None:
    """Insert the rows; if the `key` exists, update all other columns.

    Columns in `summed` are added to the existing number. All rows have the same columns.
    """
    if not rows:
        return
    table = Row.metadata.tables[kind.__tablename__]
    postgres = session.get_bind().dialect.name == "postgresql"
    statement = postgresql.insert(table) if postgres else sqlite.insert(table)
    new = statement.excluded
    values = {
        name: table.c[name] + new[name] if name in summed else new[name]
        for name in rows[0]
        if name != key
    }
    changed = statement.on_conflict_do_update(index_elements=[key], set_=values)
    session.connection().execute(changed, rows)
