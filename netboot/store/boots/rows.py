"""Boots as rows: stored by key, searched, and counted by hour."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import MISSING, dataclass, fields
from functools import lru_cache
from typing import Any

from pydantic_core import from_json
from sqlalchemy import (
    ColumnElement,
    Select,
    Text,
    cast,
    delete,
    exists,
    func,
    literal_column,
    select,
)
from sqlalchemy.orm import Session, aliased

from netboot.boot.told.attempt import Attempt, Outcome
from netboot.boot.told.ladder import Rung
from netboot.protocols.mac import is_mac
from netboot.store.boots import hours as boot_hours
from netboot.store.boots.hours import Place
from netboot.store.database.records import BootRow
from netboot.store.database.upsert import upsert

PARSED = 2000
NOT_KEPT = frozenset({"steps", "dropped_steps"})
_DEFAULTS = {
    field.name: field.default
    for field in fields(Attempt)
    if field.name not in NOT_KEPT and field.default is not MISSING
}


@dataclass(frozen=True, slots=True)
class BootFilter:
    """Selects boots; empty values select all.

    `search` applies to MAC and IP address, image and driver; `machine` is a full MAC address. `way`
    is the medium (`iso`, …; "" is the network). `before` (epoch seconds) is for the next page:
    boots that began earlier.
    """

    search: str = ""
    outcome: Outcome | None = None
    image: str = ""
    version: int = 0
    way: str | None = None
    machine: str = ""
    before: float | None = None

    @property
    def words(self) -> str:
        """The search in the form of the column `search`."""
        return self.search.strip().lower().replace("-", ":")


def search_text(attempt: Attempt) -> str:
    words = (attempt.mac, attempt.ip, attempt.image, attempt.driver, attempt.missing)
    return " ".join(words).lower().replace("-", ":")[:400]


def keep(session: Session, attempts: Iterable[Attempt]) -> None:
    rows = list({attempt.key: _row(attempt) for attempt in attempts}.values())
    if not rows:
        return
    difference = Counter(_place(row["began"], row["state"]) for row in rows)
    difference.subtract(_places(session, [row["key"] for row in rows]))
    boot_hours.add(session, difference)
    upsert(session, BootRow, rows, key="key")


def find(session: Session, key: str) -> Attempt | None:
    """One boot, without its steps."""
    text = session.scalar(select(_TEXT).where(BootRow.key == key))
    return _attempt(text) if text is not None else None


def newest(session: Session, wanted: BootFilter, limit: int, now: float) -> list[Attempt]:
    """The newest boots that match, newest first."""
    found = names(session, wanted, limit, now)
    query = select(_TEXT).where(_name(session).in_(found)).order_by(BootRow.began.desc())
    return [_attempt(text) for text in session.scalars(query)]


def names(session: Session, wanted: BootFilter, limit: int, now: float) -> Select[tuple[Any]]:
    """The names of the newest rows that match, from an index without reading the rows."""
    found = select(_name(session)).select_from(BootRow).where(*_conditions(wanted, now))
    return found.order_by(BootRow.began.desc()).limit(limit)


def count(session: Session, wanted: BootFilter, now: float) -> int:
    query = select(func.count()).select_from(BootRow).where(*_conditions(wanted, now))
    return session.scalar(query) or 0


def troubled(session: Session, since: float, now: float, limit: int) -> list[Attempt]:
    """The newest boot of each machine, if it failed since `since`; newest first."""
    later = aliased(BootRow)
    # With a negated condition SQLite uses the index by time, not the one by state over all years.
    silent = (BootRow.state != Outcome.UNDER_WAY.value) | (BootRow.quiet_at < now)
    query = (
        select(_TEXT)
        .where(
            BootRow.began >= since,
            BootRow.state != Outcome.ONLINE.value,
            silent,
            ~exists().where(later.machine == BootRow.machine, later.began > BootRow.began),
        )
        .order_by(BootRow.began.desc())
        .limit(limit)
    )
    return [_attempt(text) for text in session.scalars(query)]


def _places(session: Session, keys: Collection[str]) -> Counter[Place]:
    """The sums in which the existing rows of these keys are counted."""
    query = select(BootRow.began, BootRow.state).where(BootRow.key.in_(keys))
    return Counter(_place(began, state) for began, state in session.execute(query))


def _place(began: float, state: str) -> Place:
    return boot_hours.hour_of(began), state == Outcome.ONLINE.value


def rates(session: Session, limit: int) -> list[tuple[float, float]]:
    """Beginning and rate (bytes per second) of the newest boots that have a rate."""
    query = select(BootRow.began, BootRow.rate).where(BootRow.rate > 0)
    rows = session.execute(query.order_by(BootRow.began.desc()).limit(limit))
    return [(began, rate) for began, rate in rows]


def discard(session: Session, keys: Collection[str]) -> None:
    if not keys:
        return
    deleted: Counter[Place] = Counter()
    deleted.subtract(_places(session, keys))
    boot_hours.add(session, deleted)
    session.execute(delete(BootRow).where(BootRow.key.in_(keys)))


def discard_oldest(session: Session, keep_newest: int) -> int:
    """Delete all but the newest; returns the number."""
    oldest = select(BootRow.began).order_by(BootRow.began.desc()).offset(keep_newest).limit(1)
    border = session.scalar(oldest)
    if border is None:
        return 0
    old = delete(BootRow).where(BootRow.began <= border).returning(BootRow.began, BootRow.state)
    deleted: Counter[Place] = Counter()
    deleted.subtract(_place(began, state) for began, state in session.execute(old))
    boot_hours.add(session, deleted)
    return -sum(deleted.values())


def _conditions(wanted: BootFilter, now: float) -> list[ColumnElement[bool]]:
    conditions = [_has(wanted.words)] if wanted.words else []
    match wanted.outcome:
        case None:
            pass
        case Outcome.STALLED:
            # `+ 0.0` hides the column from the planner (sqlite.org/optoverview.html, unary +):
            # SQLite then walks the index by time and stops, instead of sorting all stalled boots.
            conditions += [BootRow.state == Outcome.UNDER_WAY.value, BootRow.quiet_at + 0.0 < now]
        case Outcome.UNDER_WAY:
            conditions += [BootRow.state == Outcome.UNDER_WAY.value, BootRow.quiet_at >= now]
        case outcome:
            conditions.append(BootRow.state == outcome.value)
    if wanted.image:
        conditions.append(BootRow.image == wanted.image)
    if wanted.version:
        conditions.append(BootRow.version == wanted.version)
    if wanted.way is not None:
        conditions.append(BootRow.way == wanted.way)
    if wanted.machine:
        conditions.append(BootRow.machine == wanted.machine)
    if wanted.before is not None:
        conditions.append(BootRow.began < wanted.before)
    return conditions


def _has(words: str) -> ColumnElement[bool]:
    if is_mac(words):
        return BootRow.machine == words  # has an index
    return BootRow.search.contains(words, autoescape=True)


def _row(attempt: Attempt) -> dict[str, Any]:
    return {
        "key": attempt.key,
        "machine": attempt.machine[:64],
        "began": attempt.began,
        "state": attempt.outcome(attempt.last).value,
        "quiet_at": attempt.quiet_at,
        "image": attempt.image[:100],
        "version": attempt.version,
        "way": attempt.way[:16],
        "rate": attempt.rate,
        "search": search_text(attempt),
        "attempt": _plain(attempt),
    }


def _plain(attempt: Attempt) -> dict[str, Any]:
    """The fields that differ from their defaults."""
    plain = {
        field.name: getattr(attempt, field.name)
        for field in fields(Attempt)
        if field.name not in NOT_KEPT
        and getattr(attempt, field.name) != _DEFAULTS.get(field.name, MISSING)
    }
    plain["rung"] = int(attempt.rung)
    plain["reached"] = [[int(rung), at] for rung, at in attempt.reached]
    return plain


def _name(session: Session) -> ColumnElement[Any]:
    """What identifies a row and is part of every index: in SQLite the rowid, not the key."""
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    return literal_column("boots.rowid") if is_sqlite else BootRow.key.expression


@lru_cache(maxsize=PARSED)
def _attempt(text: str) -> Attempt:
    """The boot in the JSON of a row, without fields that only another release knows."""
    plain: dict[str, Any] = from_json(text)
    known = {name: value for name, value in plain.items() if name in _KNOWN}
    known["rung"] = Rung(known.get("rung", 0))
    known["reached"] = tuple((Rung(rung), at) for rung, at in known.get("reached", ()))
    return Attempt(**known)


_TEXT = cast(BootRow.attempt, Text)
_KNOWN = frozenset(field.name for field in fields(Attempt)) - NOT_KEPT
