"""Search in the driver catalog: one page of it, and how many drivers each filter would show.

Fast at twenty thousand drivers: lists read narrow rows, a search scans one text a driver, and
an id that is typed from its beginning, or pasted whole, is looked up in the index of ids.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from sqlalchemy import (
    ColumnElement,
    Select,
    SQLColumnExpression,
    and_,
    func,
    literal,
    or_,
    select,
    true,
)
from sqlalchemy.orm import Session

from netboot.errors import InvalidInput
from netboot.images.catalog import DriverFilter
from netboot.images.device import parse_devices
from netboot.images.matching import NEWEST
from netboot.site import Site
from netboot.store.catalog_entry import DriverSummary
from netboot.store.catalog_rows import split_words, summary_value
from netboot.store.records import DriverRow, HardwareIdRow

MAX_WORDS = 10
"""Words of a search that count; nobody types more."""

_LAST = "\U0010ffff"
_BUS_OF = {"VEN_": "PCI\\", "VID_": "USB\\"}
_NUMBERS = re.compile(r"([0-9a-f]{4}):([0-9a-f]{4})")

_GROUPED = (
    DriverRow.kind,
    DriverRow.architectures,
    DriverRow.enabled,
    DriverRow.signature,
    DriverRow.has_findings,
    DriverRow.categories,
)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many drivers each value of a filter would show, all other filters staying as they are.

    `enabled` has counts by "enabled" and "disabled", `findings` by "findings" and "none".
    """

    kinds: dict[str, int]
    architectures: dict[str, int]
    enabled: dict[str, int]
    signatures: dict[str, int]
    findings: dict[str, int]
    categories: dict[str, int]


@dataclass(frozen=True, slots=True)
class DriverPage:
    """Some of the drivers that fit, by name, and how many fit in all."""

    drivers: tuple[DriverSummary, ...]
    total: int
    counts: Counts


@dataclass(frozen=True, slots=True)
class _Group:
    """Drivers that all filters treat alike."""

    kind: str
    architectures: tuple[str, ...]
    enabled: bool
    signature: str
    has_findings: bool
    categories: tuple[str, ...]
    count: int


def driver_totals(site: Site) -> dict[bool, int]:
    """How many drivers are enabled (True), and how many are not."""
    query = select(DriverRow.enabled, func.count()).group_by(DriverRow.enabled)
    with site.database.transaction() as session:
        return {bool(enabled): count for enabled, count in session.execute(query)}


def search_drivers(
    site: Site, wanted: DriverFilter | None = None, *, limit: int | None = None, offset: int = 0
) -> DriverPage:
    """The drivers that fit, from place `offset` on; all of them without a `limit`."""
    wanted = wanted or DriverFilter()
    with site.database.transaction() as session:
        for found in _text_conditions(session, wanted.text):
            groups = _groups(session, found)
            if groups:
                break
        query = (
            select(DriverRow)
            .where(found, *_conditions(wanted))
            .order_by(DriverRow.name, DriverRow.version, DriverRow.digest)
            .offset(offset)
        )
        rows = session.scalars(query.limit(limit)) if groups else ()
        drivers = tuple(summary_value(row) for row in rows)
    fitting = (group.count for group in groups if _fits(group, wanted))
    return DriverPage(drivers, sum(fitting), _counts(groups, wanted))


def _conditions(wanted: DriverFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.kind is not None:
        yield DriverRow.kind == wanted.kind.value
    if wanted.architecture is not None:
        yield _among(DriverRow.architectures, wanted.architecture.value, ",")
    if wanted.enabled is not None:
        yield DriverRow.enabled.is_(wanted.enabled)
    if wanted.signature is not None:
        yield DriverRow.signature == wanted.signature.value
    if wanted.has_findings is not None:
        yield DriverRow.has_findings.is_(wanted.has_findings)
    if wanted.category:
        yield _among(DriverRow.categories, wanted.category, "\n")


def _among(column: SQLColumnExpression[str], word: str, by: str) -> ColumnElement[bool]:
    """Whether the word is one of those that the column holds."""
    return (literal(by) + column + literal(by)).contains(f"{by}{word}{by}", autoescape=True)


def _text_conditions(session: Session, text: str) -> Iterator[ColumnElement[bool]]:
    """How to look for a text, fastest first: the next one is for when the one before found none."""
    words = text.casefold().replace("\0", " ").split()[:MAX_WORDS]
    if not words:
        yield true()
        return
    if pasted := _pasted_ids(text):
        claimed = select(HardwareIdRow.driver_id).where(HardwareIdRow.hardware_id.in_(pasted))
        yield DriverRow.id.in_(claimed)
        return
    inside = func.instr if session.get_bind().dialect.name == "sqlite" else func.strpos
    fast = [_word_condition(inside, word) for word in words]
    yield and_(*fast)
    if all(next(_beginnings(word), "") for word in words):
        return
    # A look at every id takes a second in a large catalog, so it comes last.
    claims = (
        select(HardwareIdRow.driver_id).where(inside(HardwareIdRow.hardware_id, word.upper()) > 0)
        for word in words
    )
    yield and_(*(or_(one, DriverRow.id.in_(more)) for one, more in zip(fast, claims, strict=True)))


def _word_condition(inside: Callable[..., ColumnElement[int]], word: str) -> ColumnElement[bool]:
    return or_(
        inside(DriverRow.search_text, word) > 0,
        inside(func.lower(DriverRow.categories), word) > 0,
        *(DriverRow.id.in_(_beginning(start)) for start in _beginnings(word)),
    )


def _beginning(start: str) -> Select[int]:
    """Drivers that claim an id which begins so: one place of the index."""
    column = HardwareIdRow.hardware_id
    return select(HardwareIdRow.driver_id).where(column >= start, column < start + _LAST)


def _beginnings(word: str) -> Iterator[str]:
    """How an id begins that somebody may mean by this word."""
    upper = word.upper()
    if "\\" in upper:
        yield upper
    elif upper[:4] in _BUS_OF:
        yield _BUS_OF[upper[:4]] + upper
    elif match := _NUMBERS.fullmatch(word):
        yield f"PCI\\VEN_{match[1]}&DEV_{match[2]}".upper()


def _pasted_ids(text: str) -> tuple[str, ...]:
    """The ids of a device whose whole PNPDeviceID was pasted; none for other searches."""
    if "\\" not in text or "dev_" not in text.casefold() or "subsys_" not in text.casefold():
        return ()
    try:
        (device, *more) = parse_devices(text).devices
    except InvalidInput:
        return ()
    if more:
        return ()
    ids = (*device.hardware_ids(NEWEST), *device.compatible_ids(NEWEST))
    return tuple(identifier for identifier in ids if "DEV_" in identifier)


def _groups(session: Session, found: ColumnElement[bool]) -> list[_Group]:
    query = select(*_GROUPED, func.count()).where(found).group_by(*_GROUPED)
    return [
        _Group(
            kind=kind,
            architectures=split_words(architectures, ","),
            enabled=bool(enabled),
            signature=signature,
            has_findings=bool(has_findings),
            categories=split_words(categories),
            count=count,
        )
        for kind, architectures, enabled, signature, has_findings, categories, count in (
            session.execute(query)
        )
    ]


def _fits(group: _Group, wanted: DriverFilter) -> bool:
    return (
        wanted.kind in {None, group.kind}
        and (wanted.architecture is None or wanted.architecture in group.architectures)
        and wanted.enabled in {None, group.enabled}
        and wanted.signature in {None, group.signature}
        and wanted.has_findings in {None, group.has_findings}
        and (not wanted.category or wanted.category in group.categories)
    )


def _counts(groups: Iterable[_Group], wanted: DriverFilter) -> Counts:
    kinds: Counter[str] = Counter()
    architectures: Counter[str] = Counter()
    enabled: Counter[str] = Counter()
    signatures: Counter[str] = Counter()
    findings: Counter[str] = Counter()
    categories: Counter[str] = Counter()
    for group in groups:
        if _fits(group, replace(wanted, kind=None)):
            kinds[group.kind] += group.count
        if _fits(group, replace(wanted, architecture=None)):
            architectures.update(dict.fromkeys(group.architectures, group.count))
        if _fits(group, replace(wanted, enabled=None)):
            enabled["enabled" if group.enabled else "disabled"] += group.count
        if _fits(group, replace(wanted, signature=None)):
            signatures[group.signature] += group.count
        if _fits(group, replace(wanted, has_findings=None)):
            findings["findings" if group.has_findings else "none"] += group.count
        if _fits(group, replace(wanted, category="")):
            categories.update(dict.fromkeys(group.categories, group.count))
    return Counts(
        dict(kinds),
        dict(architectures),
        dict(enabled),
        dict(signatures),
        dict(findings),
        dict(sorted(categories.items())),
    )
