"""Which driver claims which ids, across the whole catalog, from the index of ids and the traits.

In a large catalog the models are hundreds of megabytes. Most drivers claim all their ids for the
same Windows builds, which their traits give, so their models are not read.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from sqlalchemy import SQLColumnExpression, Text, cast, func, literal, select
from sqlalchemy.orm import Session

from netboot.images.architecture import Architecture
from netboot.images.drivers.driver import Span
from netboot.store.database.records import DriverRow, DriverTraitsRow, HardwareIdRow
from netboot.store.drivers.rows import load_drivers

T = TypeVar("T")

AT_ONCE = 200
"""Drivers whose models are in memory at once."""


def shared_ids(session: Session) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Ids that several drivers claim, with the numbers of the drivers."""
    number = cast(HardwareIdRow.driver_id, Text)
    line = func.aggregate_strings(number, ",") + literal(" ") + HardwareIdRow.hardware_id
    # One text instead of many rows, which SQLAlchemy is slow to make.
    lines = (
        select(line.label("line"))
        .group_by(HardwareIdRow.hardware_id)
        .having(func.count() > 1)
        .subquery()
    )
    text = session.scalar(select(func.aggregate_strings(lines.c.line, "\n"))) or ""
    for one in text.split("\n") if text else ():
        numbers, _, identifier = one.partition(" ")
        yield identifier, tuple(map(int, numbers.split(",")))


def common_spans(session: Session) -> dict[int, tuple[Span, ...]]:
    """By number, the builds of drivers that claim all their ids for the same builds."""
    return _by_driver(session, DriverTraitsRow.spans, _span)


def services(session: Session) -> dict[int, tuple[tuple[str, Architecture], ...]]:
    """By number, the services that drivers install, with their architectures."""
    return _by_driver(session, DriverTraitsRow.services, _service)


def claimed_spans(
    session: Session, numbers: Iterable[int], ids: frozenset[str]
) -> dict[int, dict[str, set[Span]]]:
    """For which builds each of the drivers claims each of the ids, from the models."""
    found: dict[int, dict[str, set[Span]]] = {}
    ordered = sorted(numbers)
    for at in range(0, len(ordered), AT_ONCE):
        part = DriverRow.id.in_(ordered[at : at + AT_ONCE])
        rows = session.execute(select(DriverRow.digest, DriverRow.id).where(part))
        digests = dict(rows.all())
        for driver in load_drivers(session, part, claiming=ids):
            claims = found.setdefault(digests[driver.digest], {})
            for model in driver.models:
                for identifier in ids.intersection(model.hardware_ids):
                    claims.setdefault(identifier, set()).add(model.span)
        session.expunge_all()
    return found


def _by_driver(
    session: Session, column: SQLColumnExpression[str], read: Callable[[str], T]
) -> dict[int, tuple[T, ...]]:
    """The lines of a column by driver, parsed once for all drivers with the same text."""
    listed = func.aggregate_strings(cast(DriverTraitsRow.driver_id, Text), ",")
    found: dict[int, tuple[T, ...]] = {}
    for text, numbers in session.execute(
        select(column, listed).where(column != "").group_by(column)
    ):
        found |= dict.fromkeys(map(int, numbers.split(",")), tuple(map(read, text.split("\n"))))
    return found


def _span(line: str) -> Span:
    architecture, minimum, maximum = line.split(" ")
    return Span(Architecture(architecture), int(minimum), int(maximum))


def _service(line: str) -> tuple[str, Architecture]:
    architecture, _, name = line.partition(" ")
    return name, Architecture(architecture)
