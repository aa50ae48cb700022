"""The catalog's narrow rows in memory: what lists show, filters count and versions are found by.

Reading twenty thousand rows takes a tenth of a second, so an index is made from the one before:
of a row only its being enabled and its categories ever change. What stays of all rows is read as
a few texts, and only rows that came are read whole, a thousand in each row of the answer, for
each row that is fetched is a turn of the interpreter. The long texts to search in stay where
they are.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple

from pydantic_core import from_json
from sqlalchemy import BigInteger, ColumnElement, Text, cast, func, literal, select, true
from sqlalchemy.orm import Session

from netboot.images.architecture import Architecture
from netboot.images.drivers.catalog import Signature, age
from netboot.images.drivers.driver import DriverKind
from netboot.store.database.records import DriverRow
from netboot.store.drivers.entry import DriverSummary
from netboot.store.drivers.rows import split_words

AT_ONCE = 1000
"""Rows that are read as one text."""

Place = tuple[bool, str]
"""What may change of a row: whether it is enabled, and its categories as one text."""

State = dict[Place, str]
"""The tokens of all rows, with commas between them, by place."""


class Said(NamedTuple):
    """What never changes of a row. `token` is the row's: a number may be given a second time."""

    token: str
    number: int
    digest: str
    name: str
    inf_name: str
    provider: str
    family: str
    kind: str
    class_name: str
    version: str
    date: str
    architectures: str
    signature: str
    size: int
    ids: int
    has_findings: int
    findings: str


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Drivers that all filters treat alike. An index has one of a kind, known by identity."""

    kind: str
    architectures: tuple[str, ...]
    enabled: bool
    signature: str
    has_findings: bool
    categories: tuple[str, ...]


class Indexed(NamedTuple):
    """A driver of the index."""

    said: Said
    group: Group

    @property
    def summary(self) -> DriverSummary:
        """The driver as lists show it."""
        said = self.said
        return DriverSummary(
            digest=said.digest,
            name=said.name,
            inf_name=said.inf_name,
            provider=said.provider,
            kind=DriverKind(said.kind),
            class_name=said.class_name,
            version=said.version,
            date=said.date,
            architectures=_architectures(said.architectures),
            signature=Signature(said.signature),
            size=said.size,
            ids=said.ids,
            enabled=self.group.enabled,
            categories=self.group.categories,
            findings=tuple(from_json(said.findings)),
        )


class CatalogIndex:
    """All drivers by name, version and digest, as they were when it was read.

    `enabled` differs when another set of drivers is enabled. `outdated` has the newest version
    by the digest of each that is not the newest of its package.
    """

    def __init__(
        self, rows: Iterable[Indexed], state: State, outdated: dict[str, Said] | None = None
    ) -> None:
        self.rows = tuple(rows)
        self.state = state
        self.outdated = _outdated(self.rows) if outdated is None else outdated
        self.enabled = frozenset(tokens for (enabled, _), tokens in state.items() if enabled)
        self.counts: Counter[Group] = Counter(map(attrgetter("group"), self.rows))


def read_index(session: Session, former: CatalogIndex | None = None) -> CatalogIndex:
    """The index as of now, from the one before where there is one."""
    state = _read_state(session)
    if former is None:
        former = CatalogIndex((), {})
    if former.state == state:
        return former
    came, went = _moves(former.state, state)
    groups = _Groups(former.counts)
    rows = [
        row if row.said.token not in went else groups.placed(row.said, came[row.said.token])
        for row in former.rows
        if row.said.token not in went or row.said.token in came
    ]
    new = came.keys() - went
    if new:
        read = _read_rows(session, new, whole=not former.rows)
        rows += [groups.placed(said, came[said.token]) for said in read if said.token in new]
        rows.sort(key=lambda row: (row.said.name, row.said.version, row.said.digest))
    alike = not new and len(rows) == len(former.rows)
    return CatalogIndex(rows, state, former.outdated if alike else None)


def _outdated(rows: Iterable[Indexed]) -> dict[str, Said]:
    families: dict[str, list[Said]] = {}
    for said, _ in rows:
        families.setdefault(said.family, []).append(said)
    found: dict[str, Said] = {}
    for versions in families.values():
        if len(versions) > 1:
            *older, newest = sorted(versions, key=age)
            found |= {one.digest: newest for one in older if age(one) < age(newest)}
    return found


def _moves(before: State, now: State) -> tuple[dict[str, Place], set[str]]:
    """The rows that came to a place, with the place, and those that went from theirs."""
    came: dict[str, Place] = {}
    went: set[str] = set()
    for place in before.keys() | now.keys():
        old, new = before.get(place, ""), now.get(place, "")
        if old != new:
            olds, news = set(old.split(",")), set(new.split(","))
            came |= dict.fromkeys(news - olds, place)
            went |= olds - news
    came.pop("", None)
    return came, went - {""}


class _Groups:
    """One group of each kind, those that are there already first."""

    def __init__(self, known: Iterable[Group]) -> None:
        self._known: dict[tuple[Any, ...], Group] = {}
        for group in known:
            said = (group.kind, ",".join(group.architectures), group.signature, group.has_findings)
            self._known[*said, group.enabled, "\n".join(group.categories)] = group

    def placed(self, said: Said, place: Place) -> Indexed:
        """A row with its group."""
        key = (said.kind, said.architectures, said.signature, bool(said.has_findings), *place)
        group = self._known.get(key)
        if group is None:
            group = self._known[key] = Group(
                kind=said.kind,
                architectures=split_words(said.architectures, ","),
                enabled=place[0],
                signature=said.signature,
                has_findings=bool(said.has_findings),
                categories=split_words(place[1]),
            )
        return Indexed(said, group)


def _token() -> ColumnElement[str]:
    """A row's number and its import: SQLite gives the number of a deleted row once more."""
    moment = cast(cast(DriverRow.imported_at * 1_000_000, BigInteger), Text)
    return cast(DriverRow.id, Text) + literal(":") + moment


def _read_state(session: Session) -> State:
    place = (DriverRow.enabled, DriverRow.categories)
    query = select(*place, func.aggregate_strings(_token(), ",")).group_by(*place)
    return {
        (bool(enabled), categories): tokens
        for enabled, categories, tokens in session.execute(query)
    }


def _read_rows(session: Session, tokens: Iterable[str], *, whole: bool) -> Iterator[Said]:
    """The rows of these tokens, and maybe others; all of the catalog if `whole`."""
    numbers = sorted(int(token.partition(":")[0]) for token in tokens)
    if whole:
        yield from _read_where(session, true())
        return
    for at in range(0, len(numbers), AT_ONCE):
        yield from _read_where(session, DriverRow.id.in_(numbers[at : at + AT_ONCE]))


def _read_where(session: Session, condition: ColumnElement[bool]) -> Iterator[Said]:
    columns = [
        _token(),
        DriverRow.id,
        *(getattr(DriverRow, name) for name in Said._fields[2:-2]),
        DriverRow.has_findings,
        cast(DriverRow.findings, Text),
    ]
    if session.get_bind().dialect.name == "sqlite":
        listed = func.json_group_array(func.json_array(*columns))
    else:
        listed = func.json_agg(func.json_build_array(*columns))
    query = select(cast(listed, Text)).where(condition).group_by(DriverRow.id // AT_ONCE)
    for text in session.scalars(query):
        yield from map(Said._make, from_json(text))


@lru_cache(maxsize=100)
def _architectures(text: str) -> frozenset[Architecture]:
    return frozenset(map(Architecture, split_words(text, ",")))
