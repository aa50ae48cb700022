"""Search in the driver catalog: one page of it, and how many drivers each filter would show.

Fast at twenty thousand drivers: narrow rows are held in memory as long as they are true, a
search scans one text a driver, and an id that is typed from its beginning, or pasted whole, is
looked up in the index of ids.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

from sqlalchemy import ColumnElement, Select, Text, and_, cast, func, or_, select
from sqlalchemy.orm import Session

from netboot.errors import InvalidInput
from netboot.images.drivers.catalog import DriverFilter
from netboot.images.drivers.device import parse_devices
from netboot.images.drivers.matching import NEWEST
from netboot.operations.drivers.index import found_by_text, index_now, stamped_index
from netboot.site import Site
from netboot.store.database.records import DriverRow, DriverTraitsRow, HardwareIdRow
from netboot.store.drivers.entry import DriverSummary
from netboot.store.drivers.index import CatalogIndex, Group, Indexed

MAX_WORDS = 10
"""Words of a search that count; nobody types more."""

ASKED_FOR_IDS = 500
"""Drivers whose ids are looked at one by one."""

_Inside = Callable[..., ColumnElement[int]]
_BETWEEN = re.compile(r"[\\&]")
_LAST = "\U0010ffff"
_BUS_OF = {"VEN_": "PCI\\", "VID_": "USB\\"}
_NUMBERS = re.compile(r"([0-9a-f]{4}):([0-9a-f]{4})")


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


def driver_totals(site: Site) -> dict[bool, int]:
    """How many drivers are enabled (True), and how many are not."""
    found: Counter[bool] = Counter()
    for group, count in index_now(site).counts.items():
        found[group.enabled] += count
    return dict(found)


def search_drivers(
    site: Site, wanted: DriverFilter | None = None, *, limit: int | None = None, offset: int = 0
) -> DriverPage:
    """The drivers that fit, from place `offset` on; all of them without a `limit`."""
    wanted = wanted or DriverFilter()
    index, stamp = stamped_index(site)
    words = tuple(wanted.text.casefold().replace("\0", " ").split()[:MAX_WORDS])
    if words:
        kept = found_by_text(site)
        found = kept.now(words, stamp, lambda: _found(site, index, words, wanted.text))
        counted = Counter(map(attrgetter("group"), found))
    else:
        found, counted = index.rows, index.counts
    fitting = {group for group in counted if _fits(group, wanted)}
    if len(fitting) < len(counted):
        found = tuple(row for row in found if row.group in fitting)
    shown = found[offset:] if limit is None else found[offset : offset + limit]
    return DriverPage(tuple(row.summary for row in shown), len(found), _counts(counted, wanted))


def _found(site: Site, index: CatalogIndex, words: Sequence[str], text: str) -> tuple[Indexed, ...]:
    """The drivers that a text means."""
    listed = func.aggregate_strings(cast(DriverRow.id, Text), ",")
    with site.database.transaction() as session:
        for condition in _text_conditions(session, index, words, text):
            numbers = session.scalar(select(listed).where(condition))
            if numbers:
                meant = set(map(int, numbers.split(",")))
                return tuple(row for row in index.rows if row.said.number in meant)
    return ()


def _text_conditions(
    session: Session, index: CatalogIndex, words: Sequence[str], text: str
) -> Iterator[ColumnElement[bool]]:
    """How to look for a text, fastest first: the next one is for when the one before found none."""
    if pasted := _pasted_ids(text):
        claimed = select(HardwareIdRow.driver_id).where(HardwareIdRow.hardware_id.in_(pasted))
        yield DriverRow.id.in_(claimed)
        return
    inside = func.instr if session.get_bind().dialect.name == "sqlite" else func.strpos
    fast = [_word_condition(inside, index, word) for word in words]
    yield and_(*fast)
    if all(next(_beginnings(word), "") for word in words):
        return
    # Boards are as many as ids, so they come last.
    boards = [_board_condition(session, inside, word.upper()) for word in words]
    if len(words) == 1:
        yield boards[0]
    else:
        yield and_(*(or_(one, more) for one, more in zip(fast, boards, strict=True)))


def _board_condition(session: Session, inside: _Inside, word: str) -> ColumnElement[bool]:
    """Drivers of which an id has this within, of those whose chip the search text has not."""
    if "&" not in word and "\\" not in word:
        claims = select(DriverTraitsRow.driver_id).where(inside(DriverTraitsRow.boards, word) > 0)
        return DriverRow.id.in_(claims)
    # Several words of an id: who has them all is asked for the ids themselves, if these are few.
    parts = [part for part in _BETWEEN.split(word) if part]
    has_all = select(DriverRow.id).join(DriverTraitsRow, DriverTraitsRow.driver_id == DriverRow.id)
    for part in parts:
        in_text = inside(DriverRow.search_text, part.casefold()) > 0
        has_all = has_all.where(in_text | (inside(DriverTraitsRow.boards, part) > 0))
    few = session.scalars(has_all.limit(ASKED_FOR_IDS + 1)).all()
    claims = select(HardwareIdRow.driver_id).where(inside(HardwareIdRow.hardware_id, word) > 0)
    if len(few) <= ASKED_FOR_IDS:
        claims = claims.where(HardwareIdRow.driver_id.in_(few))
    return DriverRow.id.in_(claims)


def _word_condition(inside: _Inside, index: CatalogIndex, word: str) -> ColumnElement[bool]:
    sorted_so = {
        "\n".join(group.categories)
        for group in index.counts
        if any(word in category.casefold() for category in group.categories)
    }
    return or_(
        inside(DriverRow.search_text, word) > 0,
        *([DriverRow.categories.in_(sorted(sorted_so))] if sorted_so else ()),
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


def _fits(group: Group, wanted: DriverFilter) -> bool:
    return (
        wanted.kind in {None, group.kind}
        and (wanted.architecture is None or wanted.architecture in group.architectures)
        and wanted.enabled in {None, group.enabled}
        and wanted.signature in {None, group.signature}
        and wanted.has_findings in {None, group.has_findings}
        and (not wanted.category or wanted.category in group.categories)
    )


def _counts(groups: Mapping[Group, int], wanted: DriverFilter) -> Counts:
    kinds: Counter[str] = Counter()
    architectures: Counter[str] = Counter()
    enabled: Counter[str] = Counter()
    signatures: Counter[str] = Counter()
    findings: Counter[str] = Counter()
    categories: Counter[str] = Counter()
    for group, count in groups.items():
        if _fits(group, replace(wanted, kind=None)):
            kinds[group.kind] += count
        if _fits(group, replace(wanted, architecture=None)):
            architectures.update(dict.fromkeys(group.architectures, count))
        if _fits(group, replace(wanted, enabled=None)):
            enabled["enabled" if group.enabled else "disabled"] += count
        if _fits(group, replace(wanted, signature=None)):
            signatures[group.signature] += count
        if _fits(group, replace(wanted, has_findings=None)):
            findings["findings" if group.has_findings else "none"] += count
        if _fits(group, replace(wanted, category="")):
            categories.update(dict.fromkeys(group.categories, count))
    return Counts(
        dict(kinds),
        dict(architectures),
        dict(enabled),
        dict(signatures),
        dict(findings),
        dict(sorted(categories.items())),
    )
