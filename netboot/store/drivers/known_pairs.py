"""Stores known pairs: those of netboot in known_pairs.toml, the site's own in the database."""

import time
import tomllib
from collections.abc import Iterable
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path

from sqlalchemy import ColumnElement, and_, func, literal, or_, select, true
from sqlalchemy.orm import Session

from netboot.images.drivers.known_pairs import KnownPair, Side, Trouble
from netboot.store.database.records import DriverRow, DriverTraitsRow, KnownPairRow

FILE = Path(__file__).with_name("known_pairs.toml")
OWN = "own-"


@lru_cache(maxsize=1)
def shipped_pairs() -> tuple[KnownPair, ...]:
    """The pairs that come with netboot."""
    with FILE.open("rb") as stream:
        pairs = tomllib.load(stream)["pair"]
    return tuple(
        KnownPair(
            id=pair["id"],
            trouble=Trouble(pair["trouble"]),
            first=Side(**pair["first"]),
            second=Side(**pair["second"]),
            reason=pair["reason"],
            source=pair["source"],
        )
        for pair in pairs
    )


def own_pairs(session: Session) -> tuple[KnownPair, ...]:
    """The pairs that administrators of this site added, oldest first."""
    rows = session.scalars(select(KnownPairRow).order_by(KnownPairRow.id))
    return tuple(pair_value(row) for row in rows)


def pair_value(row: KnownPairRow) -> KnownPair:
    return KnownPair(
        id=f"{OWN}{row.id}",
        trouble=Trouble(row.trouble),
        first=Side(**row.first),
        second=Side(**row.second),
        reason=row.reason,
        source=row.source,
        own=True,
    )


def new_row(pair: KnownPair) -> KnownPairRow:
    return KnownPairRow(
        trouble=pair.trouble.value,
        first=asdict(pair.first),
        second=asdict(pair.second),
        reason=pair.reason,
        source=pair.source,
        added_at=time.time(),
    )


def named_by(sides: Iterable[Side]) -> ColumnElement[bool]:
    """Drivers that any of the sides may select, by INF and service.

    Callers check the rest, providers and versions, with `Side.fits`.
    """
    return or_(*(_named_by(side) for side in sides))


def _named_by(side: Side) -> ColumnElement[bool]:
    found: list[ColumnElement[bool]] = [true()]
    if side.inf:
        names = [_like(word) for word in side.inf.split()]
        found.append(or_(*(func.lower(DriverRow.inf_name).like(n, escape="\\") for n in names)))
    if side.service:
        texts = [f"% {_like(word)}\n%" for word in side.service.split()]
        held = DriverTraitsRow.services + literal("\n")
        serving = select(DriverTraitsRow.driver_id).where(
            or_(*(held.like(text, escape="\\") for text in texts))
        )
        found.append(DriverRow.id.in_(serving))
    return and_(*found)


def _like(pattern: str) -> str:
    """A pattern with * and ? as one for LIKE."""
    text = pattern.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return text.replace("*", "%").replace("?", "_")
