"""Search in the driver catalog: one page of it, and how many drivers each filter would show.

The database does the work. A text is searched once, in one column that holds all that people search
by; an id that is typed from its beginning, or pasted whole, is looked up in the index of ids.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, Text, and_, cast, false, func, or_, select, true
from sqlalchemy.orm import Session

from netboot.errors import InvalidInput
from netboot.images.drivers.catalog import DriverFilter
from netboot.images.drivers.device import parse_devices
from netboot.images.drivers.matching import NEWEST
from netboot.site import Site
from netboot.store.database.records import FACETS, DriverRow, DriverTraitsRow, HardwareIdRow
from netboot.store.database.text_search import has_text
from netboot.store.drivers.entry import DriverSummary
from netboot.store.drivers.rows import SHOWN, numbered, split_words, summary_value

MAX_WORDS = 10
"""Words of a search that count."""

ASKED_FOR_IDS = 500
"""Drivers whose ids are read one by one."""

_BETWEEN = re.compile(r"[\\&]")
_LAST = "\U0010ffff"
_BUS_OF = {"VEN_": "PCI\\", "VID_": "USB\\"}
_NUMBERS = re.compile(r"([0-9a-f]{4}):([0-9a-f]{4})")
_FACETS = tuple(getattr(DriverRow, name) for name in FACETS)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many drivers each value of a filter would show if all other filters stay.

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
    """Some of the drivers that match, by name, and how many match in all."""

    drivers: tuple[DriverSummary, ...]
    total: int
    counts: Counts


class _Group(NamedTuple):
    """Drivers that all filters treat alike, and their number."""

    enabled: bool
    categories: tuple[str, ...]
    kind: str
    architectures: tuple[str, ...]
    signature: str
    has_findings: bool
    drivers: int


def driver_totals(site: Site) -> dict[bool, int]:
    """How many drivers are enabled (True), and how many are not."""
    query = select(DriverRow.enabled, func.count()).group_by(DriverRow.enabled)
    with site.database.transaction() as session:
        return {bool(enabled): count for enabled, count in session.execute(query)}


def search_drivers(
    site: Site, wanted: DriverFilter | None = None, *, limit: int | None = None, offset: int = 0
) -> DriverPage:
    """The drivers that match, from place `offset` on; all of them without a `limit`."""
    wanted = wanted or DriverFilter()
    with site.database.transaction() as session:
        meant = _meant(session, wanted.text)
        groups = _groups(session, meant)
        total = sum(group.drivers for group in groups if _fits(group, wanted))
        query = select(*SHOWN).where(meant, *_narrowed(groups, wanted))
        order = (DriverRow.name, DriverRow.version, DriverRow.digest)
        rows = session.execute(query.order_by(*order).limit(limit).offset(offset)).all()
    return DriverPage(tuple(map(summary_value, rows)), total, _counts(groups, wanted))


def _meant(session: Session, text: str) -> ColumnElement[bool]:
    """The drivers that a text means, searched once for page and counts."""
    # PostgreSQL accepts no NUL in a text.
    words = text.casefold().replace("\0", " ").split()[:MAX_WORDS]
    if not words:
        return true()
    listed = func.aggregate_strings(cast(DriverRow.id, Text), ",")
    for condition in _text_conditions(session, words, text):
        numbers = session.scalar(select(listed).where(condition))
        if numbers:
            return numbered(session, f"[{numbers}]")
    return false()


def _text_conditions(
    session: Session, words: Sequence[str], text: str
) -> Iterator[ColumnElement[bool]]:
    """The ways to search a text, fastest first: each is used if the one before finds nothing."""
    if pasted := _pasted_ids(text):
        claimed = select(HardwareIdRow.driver_id).where(HardwareIdRow.hardware_id.in_(pasted))
        yield DriverRow.id.in_(claimed)
        return
    sorted_into = session.scalars(select(DriverRow.categories).distinct()).all()
    fast = [_word_condition(session, sorted_into, word) for word in words]
    yield and_(*fast)
    if all(next(_beginnings(word), "") for word in words):
        return
    # Boards are as many as ids, so they come last.
    boards = [_board_condition(session, word.upper()) for word in words]
    if len(words) == 1:
        yield boards[0]
    else:
        yield and_(*(or_(one, more) for one, more in zip(fast, boards, strict=True)))


def _board_condition(session: Session, word: str) -> ColumnElement[bool]:
    """Drivers with this text inside an id, if the search text lacks the chip's name."""
    if "&" not in word and "\\" not in word:
        return DriverRow.id.in_(select(DriverTraitsRow.driver_id).where(_on_boards(session, word)))
    # Several words of an id: read the ids of the drivers that have them all, if they are few.
    parts = [part for part in _BETWEEN.split(word) if part]
    has_all = select(DriverRow.id).join(DriverTraitsRow, DriverTraitsRow.driver_id == DriverRow.id)
    for part in parts:
        has_all = has_all.where(_in_words(session, part.casefold()) | _on_boards(session, part))
    few = session.scalars(has_all.limit(ASKED_FOR_IDS + 1)).all()
    claimed = has_text(session, HardwareIdRow.hardware_id, HardwareIdRow.driver_id, word)
    claims = select(HardwareIdRow.driver_id).where(claimed)
    if len(few) <= ASKED_FOR_IDS:
        claims = claims.where(HardwareIdRow.driver_id.in_(few))
    return DriverRow.id.in_(claims)


def _in_words(session: Session, word: str) -> ColumnElement[bool]:
    return has_text(session, DriverRow.search_text, DriverRow.id, word)


def _on_boards(session: Session, word: str) -> ColumnElement[bool]:
    return has_text(session, DriverTraitsRow.boards, DriverTraitsRow.driver_id, word)


def _word_condition(session: Session, sorted_into: Iterable[str], word: str) -> ColumnElement[bool]:
    # SQLite and PostgreSQL fold case differently from str.casefold, so this is done here.
    categories = [text for text in sorted_into if word in text.casefold()]
    return or_(
        _in_words(session, word),
        *([DriverRow.categories.in_(categories)] if categories else ()),
        *(DriverRow.id.in_(_beginning(start)) for start in _beginnings(word)),
    )


def _beginning(start: str) -> Select[int]:
    """Drivers that claim an id with this beginning: one range of the index."""
    column = HardwareIdRow.hardware_id
    return select(HardwareIdRow.driver_id).where(column >= start, column < start + _LAST)


def _beginnings(word: str) -> Iterator[str]:
    """The beginnings of an id that this word may mean."""
    upper = word.upper()
    if "\\" in upper:
        yield upper
    elif upper[:4] in _BUS_OF:
        yield _BUS_OF[upper[:4]] + upper
    elif match := _NUMBERS.fullmatch(word):
        yield f"PCI\\VEN_{match[1]}&DEV_{match[2]}".upper()


def _pasted_ids(text: str) -> tuple[str, ...]:
    """The ids of a device whose whole PNPDeviceID was pasted; empty for other searches."""
    if "\\" not in text or "dev_" not in text.casefold() or "subsys_" not in text.casefold():
        return ()
    try:
        (device, *more) = parse_devices(text).devices
    except InvalidInput:
        return ()
    if more:
        return ()
    ids = (*device.hardware_ids(NEWEST), *device.compatible_ids())
    return tuple(identifier for identifier in ids if "DEV_" in identifier)


def _groups(session: Session, meant: ColumnElement[bool]) -> list[_Group]:
    query = select(*_FACETS, func.count().label("drivers")).where(meant).group_by(*_FACETS)
    return [
        _Group(
            enabled=row.enabled,
            categories=split_words(row.categories),
            kind=row.kind,
            architectures=split_words(row.architectures, ","),
            signature=row.signature,
            has_findings=row.has_findings,
            drivers=row.drivers,
        )
        for row in session.execute(query)
    ]


def _narrowed(groups: Iterable[_Group], wanted: DriverFilter) -> Iterator[ColumnElement[bool]]:
    """The conditions of the filters."""
    if wanted.kind is not None:
        yield DriverRow.kind == wanted.kind
    if wanted.enabled is not None:
        yield DriverRow.enabled == wanted.enabled
    if wanted.signature is not None:
        yield DriverRow.signature == wanted.signature
    if wanted.has_findings is not None:
        yield DriverRow.has_findings == wanted.has_findings
    # A row has these as one text: ask for the texts that hold the word.
    if wanted.architecture is not None:
        found = {one.architectures for one in groups if wanted.architecture in one.architectures}
        yield DriverRow.architectures.in_([",".join(words) for words in found])
    if wanted.category:
        sorted_into = {one.categories for one in groups if wanted.category in one.categories}
        yield DriverRow.categories.in_(["\n".join(words) for words in sorted_into])


def _fits(group: _Group, wanted: DriverFilter) -> bool:
    return (
        wanted.kind in {None, group.kind}
        and (wanted.architecture is None or wanted.architecture in group.architectures)
        and wanted.enabled in {None, group.enabled}
        and wanted.signature in {None, group.signature}
        and wanted.has_findings in {None, group.has_findings}
        and (not wanted.category or wanted.category in group.categories)
    )


def _counts(groups: Sequence[_Group], wanted: DriverFilter) -> Counts:
    def counted(words: Callable[[_Group], Iterable[str]], **ignored: object) -> dict[str, int]:
        found: Counter[str] = Counter()
        for group in groups:
            if _fits(group, replace(wanted, **ignored)):  # type: ignore[arg-type]
                found.update(dict.fromkeys(words(group), group.drivers))
        return dict(sorted(found.items()))

    return Counts(
        kinds=counted(lambda group: (group.kind,), kind=None),
        architectures=counted(lambda group: group.architectures, architecture=None),
        enabled=counted(lambda group: ("enabled" if group.enabled else "disabled",), enabled=None),
        signatures=counted(lambda group: (group.signature,), signature=None),
        findings=counted(
            lambda group: ("findings" if group.has_findings else "none",), has_findings=None
        ),
        categories=counted(lambda group: group.categories, category=""),
    )
