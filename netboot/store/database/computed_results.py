"""Results about the whole fleet or catalog, as rows: the worker writes them, pages read them."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from netboot.store.database.records import ComputedRow
from netboot.store.database.upsert import upsert


def find(session: Session, key: str) -> ComputedRow | None:
    return session.get(ComputedRow, key)


def bases(session: Session) -> dict[str, tuple[str, float]]:
    """The basis and time (epoch seconds) of each stored result."""
    columns = (ComputedRow.key, ComputedRow.basis, ComputedRow.computed_at)
    return {key: (basis, at) for key, basis, at in session.execute(select(*columns))}


def keep(session: Session, values: Mapping[str, Any], *, basis: str, at: float) -> None:
    """Store results that were computed together; values must fit into JSON."""
    rows = [
        {"key": key, "basis": basis, "computed_at": at, "value": value}
        for key, value in values.items()
    ]
    upsert(session, ComputedRow, rows, key="key")


def forget(session: Session, keys: Collection[str]) -> None:
    session.execute(delete(ComputedRow).where(ComputedRow.key.in_(keys)))
