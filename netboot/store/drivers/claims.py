"""Who claims what, over the whole catalog: a look at its index of ids and at drivers' traits.

The models of all drivers are hundreds of megabytes in a large catalog. Of most drivers no model
needs to be read: those claim all of their ids alike, and their traits say how.
"""

from collections.abc import Iterable, Iterator

from sqlalchemy import SQLColumnExpression, Text, cast, func, literal, select
from sqlalchemy.orm import Session

from netboot.images.architecture import Architecture
from netboot.images.drivers.driver import Span
from netboot.store.database.records import DriverRow, DriverTraitsRow, HardwareIdRow
from netboot.store.drivers.rows import load_drivers

AT_ONCE = 200
"""Drivers whose models are in memory at once."""


def shared_ids(session: Session) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Ids that several drivers claim, with the numbers of these."""
    number = cast(HardwareIdRow.driver_id, Text)
    line = func.aggregate_strings(number, ",") + literal(" ") + HardwareIdRow.hardware_id
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
    """For drivers that claim all of their ids alike: on what they do, by number."""
    return {
        number: spans
        for text, numbers in _by_text(session, DriverTraitsRow.spans)
        for spans in [tuple(map(_span, text.split("\n")))]
        for number in numbers
    }


def services(session: Session) -> dict[int, tuple[tuple[str, Architecture], ...]]:
    """The services that drivers install and where, by number; not those that install none."""
    return {
        number: installed
        for text, numbers in _by_text(session, DriverTraitsRow.services)
        for installed in [tuple(map(_service, text.split("\n")))]
        for number in numbers
    }


def claimed_spans(
    session: Session, numbers: Iterable[int], ids: frozenset[str]
) -> dict[int, dict[str, set[Span]]]:
    """On what each of the drivers claims each of the ids, out of the models themselves."""
    found: dict[int, dict[str, set[Span]]] = {}
    ordered = sorted(numbers)
    for at in range(0, len(ordered), AT_ONCE):
        part = DriverRow.id.in_(ordered[at : at + AT_ONCE])
        digests = {
            digest: number
            for number, digest in session.execute(
                select(DriverRow.id, DriverRow.digest).where(part)
            )
        }
        for driver in load_drivers(session, part, claiming=ids):
            claims = found.setdefault(digests[driver.digest], {})
            for model in driver.models:
                for identifier in ids.intersection(model.hardware_ids):
                    claims.setdefault(identifier, set()).add(model.span)
        session.expunge_all()
    return found


def _by_text(
    session: Session, column: SQLColumnExpression[str]
) -> Iterator[tuple[str, Iterator[int]]]:
    """The drivers by what a column says, where it says something."""
    listed = func.aggregate_strings(cast(DriverTraitsRow.driver_id, Text), ",")
    query = select(column, listed).where(column != "").group_by(column)
    for text, numbers in session.execute(query):
        yield text, map(int, numbers.split(","))


def _span(line: str) -> Span:
    architecture, minimum, maximum = line.split(" ")
    return Span(Architecture(architecture), int(minimum), int(maximum))


def _service(line: str) -> tuple[str, Architecture]:
    architecture, _, name = line.partition(" ")
    return name, Architecture(architecture)
