"""Known driver conflicts: pairs that do not work together, their sources, and where they occur."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import translate

from sqlalchemy import select
from sqlalchemy.orm import Session

from netboot.errors import AlreadyExists, InvalidInput, NotFound
from netboot.images.drivers.driver import Driver
from netboot.images.drivers.known_pairs import (
    Clash,
    KnownPair,
    Side,
    Trouble,
    check_pair,
    clashes,
    partners,
)
from netboot.operations.drivers.drivers import find_driver
from netboot.site import Site
from netboot.store.database.records import DriverRow, KnownPairRow
from netboot.store.drivers.entry import DriverSummary, summary
from netboot.store.drivers.known_pairs import (
    OWN,
    named_by,
    new_row,
    own_pairs,
    pair_value,
    shipped_pairs,
)
from netboot.store.drivers.rows import driver_value, load_drivers

PAIRS_AT_MOST = 500
PARTNERS_SHOWN = 20
LOADED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Partner:
    """A pair that concerns a driver, and the catalog's drivers on its other side."""

    pair: KnownPair
    drivers: tuple[DriverSummary, ...]


def list_pairs(site: Site) -> tuple[KnownPair, ...]:
    """All pairs: those that come with netboot, then the site's own."""
    with site.database.transaction() as session:
        return pairs_known(session)


def pairs_known(session: Session) -> tuple[KnownPair, ...]:
    """All pairs, within a transaction."""
    return (*shipped_pairs(), *own_pairs(session))


def add_pair(
    site: Site, trouble: Trouble, first: Side, second: Side, *, reason: str, source: str = ""
) -> KnownPair:
    """Add a pair of the site's own. Raises InvalidInput, AlreadyExists."""
    wanted = check_pair(KnownPair("", trouble, first, second, reason, source, own=True))
    with site.database.writing() as session:
        known = own_pairs(session)
        if len(known) >= PAIRS_AT_MOST:
            raise InvalidInput(f"a site has at most {PAIRS_AT_MOST} pairs of its own")
        for pair in known:
            if (pair.trouble, pair.first, pair.second) == (trouble, wanted.first, wanted.second):
                raise AlreadyExists(f"{pair.id} says so already: {pair.rule}")
        row = new_row(wanted)
        session.add(row)
        session.flush()
        return pair_value(row)


def remove_pair(site: Site, pair: str) -> KnownPair:
    """Delete a pair of the site's own. Raises NotFound, InvalidInput for netboot's pairs."""
    number = pair.removeprefix(OWN)
    if any(one.id == pair for one in shipped_pairs()):
        raise InvalidInput(
            f"{pair} comes with netboot and stays", hint="It only warns; it forbids nothing."
        )
    with site.database.writing() as session:
        wanted = int(number) if number.isdecimal() and len(number) < 16 else 0
        row = session.get(KnownPairRow, wanted) if pair.startswith(OWN) else None
        if row is None:
            raise NotFound(
                f"there is no pair {pair!r}", hint="`netboot driver pair list` shows all pairs."
            )
        gone = pair_value(row)
        session.delete(row)
        return gone


def clashes_among(site: Site, drivers: Sequence[Driver]) -> tuple[Clash, ...]:
    """The known conflicts of these drivers in one image, loaded in this order."""
    return clashes(list_pairs(site), drivers) if len(drivers) > 1 else ()


def enabled_clashes(site: Site) -> tuple[Clash, ...]:
    """The known conflicts of the enabled drivers, if they were all in one image.

    Pairs about the order of loading do not apply: a catalog has no order.
    """
    with site.database.transaction() as session:
        known = pairs_known(session)
        pairs = tuple(pair for pair in known if pair.trouble is not Trouble.ORDER)
        return clashes(pairs, _meant(session, pairs))


def _meant(session: Session, pairs: Sequence[KnownPair]) -> tuple[Driver, ...]:
    """The enabled drivers that a pair may concern, and a few more with the same INF name."""
    sides = [side for pair in pairs for side in (pair.first, pair.second)]
    if not all(side.inf for side in sides):
        return tuple(load_drivers(session, DriverRow.enabled & named_by(sides)))
    # A hundred patterns over the names alone are much faster here than in the database.
    names = {name.casefold() for side in sides for name in side.inf.split()}
    patterns = [translate(name) for name in sorted(names) if "*" in name or "?" in name]
    like = re.compile("|".join(patterns) or r"(?!)")
    numbers = [
        number
        for number, inf_name in session.execute(
            select(DriverRow.id, DriverRow.inf_name).where(DriverRow.enabled)
        )
        if (name := inf_name.casefold()) in names or like.match(name)
    ]
    return tuple(
        driver
        for at in range(0, len(numbers), LOADED_AT_ONCE)
        for driver in load_drivers(session, DriverRow.id.in_(numbers[at : at + LOADED_AT_ONCE]))
    )


def partners_of(site: Site, driver: str) -> tuple[Partner, ...]:
    """The pairs that concern a driver. Raises NotFound, InvalidInput."""
    with site.database.transaction() as session:
        row = find_driver(session, driver)
        found = partners(pairs_known(session), driver_value(row))
        return tuple(Partner(pair, _others(session, row, side)) for pair, side in found)


def _others(session: Session, row: DriverRow, side: Side) -> tuple[DriverSummary, ...]:
    here = named_by([side]) & (DriverRow.id != row.id)
    numbers = session.scalars(select(DriverRow.id).where(here).limit(10 * PARTNERS_SHOWN))
    meant = load_drivers(session, DriverRow.id.in_(list(numbers)))
    fitting = [summary(driver) for driver in meant if side.fits(driver)]
    return tuple(fitting[:PARTNERS_SHOWN])
