"""Converts drivers between entries of the catalog and rows of the database, many at a time."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from pydantic_core import from_json, to_json
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    TableValuedAlias,
    Text,
    bindparam,
    cast,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
)
from sqlalchemy import Row as SqlRow
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from netboot.images.architecture import Architecture
from netboot.images.drivers.driver import Driver, DriverKind, Signature
from netboot.store.database.records import (
    DriverContentRow,
    DriverRow,
    DriverTraitsRow,
    HardwareIdRow,
    RowId,
)
from netboot.store.drivers.entry import CatalogEntry, DriverSummary, whole

SHOWN = (
    *(DriverRow.digest, DriverRow.name, DriverRow.inf_name, DriverRow.provider, DriverRow.kind),
    *(DriverRow.class_name, DriverRow.version, DriverRow.date, DriverRow.architectures),
    *(DriverRow.signature, DriverRow.size, DriverRow.ids, DriverRow.enabled),
    *(DriverRow.categories, DriverRow.findings),
)
"""The columns of a driver's summary."""

NO_DRIVERS = tuple(kind.value for kind in DriverKind if not kind.drives)
"""Kinds that claim ids but drive no device."""

_WHOLE = (
    *(DriverRow.digest, DriverRow.enabled, DriverRow.categories),
    cast(DriverContentRow.package, Text),
)
_SMALL = 32_000
"""Characters; larger drivers are parsed each time rather than remembered."""


def add_entries(connection: Connection, entries: Sequence[CatalogEntry]) -> list[str]:
    """Add new drivers; returns the hardware ids that no driver claimed before.

    The caller has the writer's turn.
    """
    if not entries:
        return []
    ids = {one.summary.digest: from_json(one.hardware_ids) for one in entries}
    driving = (ids[one.summary.digest] for one in entries if one.summary.kind.drives)
    claimed = dict.fromkeys(text for texts in driving for text in texts)
    known = _claimed(connection, claimed)
    now = time.time()
    connection.execute(insert(DriverRow), [_columns(one, now) for one in entries])
    numbers = _numbers(connection, ids)
    placed = [(numbers[one.summary.digest], one) for one in entries]
    connection.execute(insert(DriverContentRow), [_content(number, one) for number, one in placed])
    connection.execute(insert(DriverTraitsRow), [_traits(number, one) for number, one in placed])
    rows = select(_listed(connection).c.value, bindparam("number", type_=RowId))
    connection.execute(
        insert(HardwareIdRow).from_select(["hardware_id", "driver_id"], rows),
        [{"number": id_, "ids": one.hardware_ids} for id_, one in placed],
    )
    return [text for text in claimed if text not in known]


def summaries_of(session: Session, digests: Iterable[str]) -> dict[str, DriverSummary]:
    """Summaries of the drivers with these digests, if the catalog has them."""
    rows = session.execute(select(*SHOWN).where(DriverRow.digest.in_(digests)))
    return {row.digest: summary_value(row) for row in rows}


def numbered(session: Session, numbers: str) -> ColumnElement[bool]:
    """The condition that the number of a driver is in this list, a JSON text."""
    if session.get_bind().dialect.name == "sqlite":
        listed = func.json_each(numbers).table_valued("value")
    else:
        text = cast(literal(numbers, Text), JSONB)
        listed = func.jsonb_array_elements_text(text).table_valued("value")
    # `+ 0` hides the column from SQLite's planner, which would otherwise look up each number of the
    # list. For thousands of them, scanning the index of names or facets is three times as fast.
    return (DriverRow.id + 0).in_(select(cast(listed.c.value, BigInteger)))


def claimants(session: Session, ids: Iterable[str]) -> set[int]:
    """Numbers of the drivers that claim any of these ids, of which there may be any number."""
    listed = _listed(session.connection())
    query = select(HardwareIdRow.driver_id).where(HardwareIdRow.hardware_id == listed.c.value)
    return set(session.execute(query, {"ids": to_json(sorted(ids)).decode()}).scalars())


def load_drivers(
    session: Session, condition: ColumnElement[bool], *, claiming: frozenset[str] | None = None
) -> list[Driver]:
    """Drivers in the order of their import.

    With `claiming` they have only the models that claim one of these ids: a few machines need few
    of the models of a large package.
    """
    query = select(*_WHOLE, DriverContentRow.models).join(DriverRow.content).where(condition)
    rows = session.execute(query.order_by(DriverRow.id)).all()
    return [
        _parsed(package, models, enabled=enabled, categories=categories, claiming=claiming)
        for _, enabled, categories, package, models in rows
    ]


def load_packages(session: Session, digests: Iterable[str]) -> dict[str, Driver]:
    """Drivers by digest, without their models: for lists, which do not match devices.

    Models are nine tenths of what there is to read.
    """
    query = select(*_WHOLE).join(DriverRow.content).where(DriverRow.digest.in_(digests))
    return {
        digest: _parsed(package, "[]", enabled=enabled, categories=categories)
        for digest, enabled, categories, package in session.execute(query)
    }


def driver_value(row: DriverRow, *, claiming: frozenset[str] | None = None) -> Driver:
    """The driver that a row holds; `claiming` as for `load_drivers`."""
    return whole(
        row.content.package,
        row.content.models,
        enabled=row.enabled,
        categories=split_words(row.categories),
        claiming=claiming,
    )


def _parsed(
    package: str,
    models: str,
    *,
    enabled: bool,
    categories: str,
    claiming: frozenset[str] | None = None,
) -> Driver:
    if claiming is None and len(package) + len(models) <= _SMALL:
        return _parsed_before(package, models, enabled, categories)
    return whole(
        from_json(package),
        models,
        enabled=enabled,
        categories=split_words(categories),
        claiming=claiming,
    )


@lru_cache(maxsize=512)
def _parsed_before(package: str, models: str, enabled: bool, categories: str) -> Driver:  # noqa: FBT001
    """A driver is a function of these texts; pages show the same few again and again."""
    words = split_words(categories)
    return whole(from_json(package), models, enabled=enabled, categories=words)


def remove_driver(session: Session, row: DriverRow) -> None:
    session.execute(delete(HardwareIdRow).where(HardwareIdRow.driver_id == row.id))
    session.delete(row)


def summary_value(row: DriverRow | SqlRow[Any]) -> DriverSummary:
    """The summary of a row, or of its columns `SHOWN`."""
    return DriverSummary(
        digest=row.digest,
        name=row.name,
        inf_name=row.inf_name,
        provider=row.provider,
        kind=DriverKind(row.kind),
        class_name=row.class_name,
        version=row.version,
        date=row.date,
        architectures=frozenset(map(Architecture, split_words(row.architectures, ","))),
        signature=Signature(row.signature),
        size=row.size,
        ids=row.ids,
        enabled=row.enabled,
        categories=split_words(row.categories),
        findings=tuple(row.findings),
    )


def split_words(text: str, by: str = "\n") -> tuple[str, ...]:
    return tuple(text.split(by)) if text else ()


def _listed(connection: Connection) -> TableValuedAlias:
    """The parameter `ids`, a JSON list, as rows: a package has more ids than a query parameters."""
    if connection.dialect.name == "sqlite":
        return func.json_each(bindparam("ids")).table_valued("value")
    return func.jsonb_array_elements_text(cast(bindparam("ids"), JSONB)).table_valued("value")


def _claimed(connection: Connection, ids: Iterable[str]) -> set[str]:
    """Those of the ids that some driver claims."""
    listed = _listed(connection)
    row = exists().where(
        HardwareIdRow.hardware_id == listed.c.value,
        HardwareIdRow.driver_id == DriverRow.id,
        DriverRow.kind.not_in(NO_DRIVERS),
    )
    query = select(listed.c.value).where(row)
    return set(connection.execute(query, {"ids": to_json(list(ids)).decode()}).scalars())


def _numbers(connection: Connection, digests: Iterable[str]) -> dict[str, int]:
    query = select(DriverRow.digest, DriverRow.id).where(DriverRow.digest.in_(digests))
    return {row.digest: row.id for row in connection.execute(query)}


def _content(number: int, one: CatalogEntry) -> dict[str, Any]:
    return {"driver_id": number, "package": one.package, "models": one.models}


def _traits(number: int, one: CatalogEntry) -> dict[str, Any]:
    return {"driver_id": number, **asdict(one.traits)}


def _columns(one: CatalogEntry, now: float) -> dict[str, Any]:
    summary = one.summary
    return {
        "digest": summary.digest,
        "name": summary.name,
        "inf_name": summary.inf_name,
        "provider": summary.provider,
        "family": one.family,
        "kind": summary.kind.value,
        "class_name": summary.class_name,
        "version": summary.version,
        "date": summary.date,
        "architectures": ",".join(sorted(summary.architectures)),
        "signature": summary.signature.value,
        "size": summary.size,
        "ids": summary.ids,
        "enabled": summary.enabled,
        "categories": "\n".join(summary.categories),
        "has_findings": bool(summary.findings),
        "findings": list(summary.findings),
        "imported_at": now,
        "search_text": one.search_text,
    }
