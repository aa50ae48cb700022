"""Boots as rows: kept by key, searched, and counted by the hour."""

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
    """Which boots are wanted; what is empty is not asked for.

    `search` is looked for in MAC and IP address, image and driver; `machine` is a whole address.
    `version` is a number of the image's, `way` how the image came (`iso`, …; empty: by network).
    `before` (epoch seconds) is for the next page: only boots that began earlier.
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
        """The search as rows spell it."""
        return self.search.strip().lower().replace("-", ":")


def search_text(attempt: Attempt) -> str:
    """What a search looks at."""
    words = (attempt.mac, attempt.ip, attempt.image, attempt.driver, attempt.missing)
    return " ".join(words).lower().replace("-", ":")[:400]


def keep(session: Session, attempts: Iterable[Attempt]) -> None:
    """Write the boots' rows, new or changed."""
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
    """The newest boots that are wanted, newest first."""
    found = names(session, wanted, limit, now)
    query = select(_TEXT).where(_name(session).in_(found)).order_by(BootRow.began.desc())
    return [_attempt(text) for text in session.scalars(query)]


def names(session: Session, wanted: BootFilter, limit: int, now: float) -> Select[tuple[Any]]:
    """What names the newest rows that are wanted: an index tells it without reading a row."""
    found = select(_name(session)).select_from(BootRow).where(*_conditions(wanted, now))
    return found.order_by(BootRow.began.desc()).limit(limit)


def count(session: Session, wanted: BootFilter, now: float) -> int:
    """How many boots are wanted."""
    query = select(func.count()).select_from(BootRow).where(*_conditions(wanted, now))
    return session.scalar(query) or 0


def troubled(session: Session, since: float, now: float, limit: int) -> list[Attempt]:
    """Each machine's newest boot, where that went wrong since a moment; newest first."""
    later = aliased(BootRow)
    # Said by what it is not, so that SQLite walks the hours and not all states of all years.
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
    """Where the rows of these keys are counted, as far as there are any."""
    query = select(BootRow.began, BootRow.state).where(BootRow.key.in_(keys))
    return Counter(_place(began, state) for began, state in session.execute(query))


def _place(began: float, state: str) -> Place:
    return boot_hours.hour_of(began), state == Outcome.ONLINE.value


def rates(session: Session, limit: int) -> list[tuple[float, float]]:
    """(when it began, bytes a second of its image) of the newest boots that have a rate."""
    query = select(BootRow.began, BootRow.rate).where(BootRow.rate > 0)
    rows = session.execute(query.order_by(BootRow.began.desc()).limit(limit))
    return [(began, rate) for began, rate in rows]


def discard(session: Session, keys: Collection[str]) -> None:
    """Forget boots by key."""
    if not keys:
        return
    forgotten: Counter[Place] = Counter()
    forgotten.subtract(_places(session, keys))
    boot_hours.add(session, forgotten)
    session.execute(delete(BootRow).where(BootRow.key.in_(keys)))


def discard_oldest(session: Session, keep_newest: int) -> int:
    """Forget all but the newest; how many those were."""
    oldest = select(BootRow.began).order_by(BootRow.began.desc()).offset(keep_newest).limit(1)
    border = session.scalar(oldest)
    if border is None:
        return 0
    old = delete(BootRow).where(BootRow.began <= border).returning(BootRow.began, BootRow.state)
    forgotten: Counter[Place] = Counter()
    forgotten.subtract(_place(began, state) for began, state in session.execute(old))
    boot_hours.add(session, forgotten)
    return -sum(forgotten.values())


def _conditions(wanted: BootFilter, now: float) -> list[ColumnElement[bool]]:
    conditions = [_has(wanted.words)] if wanted.words else []
    match wanted.outcome:
        case None:
            pass
        case Outcome.STALLED:
            # The sum keeps SQLite from sorting all that ever stalled: it walks them by time.
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
    """Whether a boot is found by these words; a whole MAC address has an index."""
    if is_mac(words):
        return BootRow.machine == words
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
    """What differs from a boot of which nothing is known."""
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
    """What names a row, so that an index alone tells which rows are wanted."""
    sqlite_too = session.get_bind().dialect.name == "sqlite"
    return literal_column("boots.rowid") if sqlite_too else BootRow.key.expression


@lru_cache(maxsize=PARSED)
def _attempt(text: str) -> Attempt:
    """The boot of a row's JSON, without fields that only another release knows."""
    plain: dict[str, Any] = from_json(text)
    known = {name: value for name, value in plain.items() if name in _KNOWN}
    known["rung"] = Rung(known.get("rung", 0))
    known["reached"] = tuple((Rung(rung), at) for rung, at in known.get("reached", ()))
    return Attempt(**known)


_TEXT = cast(BootRow.attempt, Text)
_KNOWN = frozenset(field.name for field in fields(Attempt)) - NOT_KEPT
