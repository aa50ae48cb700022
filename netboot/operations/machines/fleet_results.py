"""Results about the whole fleet or catalog: the worker computes and stores them, pages show them.

Each result has a basis: the change counters and the like from which it was computed. When the basis
changes, the worker computes the result again; until then pages show the old one with its time.
Actions never use a stored result.

`refresh` takes one step at a time, so that the worker can rest between them. It may stop at any
moment: what was not stored is computed again.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter
from sqlalchemy import select
from sqlalchemy.orm import Session

from netboot.errors import NotFound
from netboot.images.coverage import Coverage, Status
from netboot.images.drivers.driver import DriverKind
from netboot.operations.drivers import relations as driver_relations
from netboot.operations.drivers.relations import ShownClash, ShownConflicts
from netboot.operations.images import images
from netboot.operations.images.images import ImageView
from netboot.operations.machines import coverage
from netboot.operations.machines.image_choice import decider
from netboot.operations.machines.machines import list_machines
from netboot.site import Site
from netboot.store.boots import outlooks
from netboot.store.boots.outlooks import StoredOutlook
from netboot.store.database import computed_results
from netboot.store.database.records import ImageRow
from netboot.store.drivers.entry import DriverSummary
from netboot.store.drivers.known_pairs import shipped_pairs
from netboot.store.drivers.rows import summaries_of

T = TypeVar("T")

LACKING, CONFLICTS, CLASHES = "lacking", "conflicts", "known pairs"
FATES = "outlooks"

FIXES_SHOWN = 25

EDITION = 1
"""Raise it when results are computed or stored differently."""


@dataclass(frozen=True, slots=True)
class Stored(Generic[T]):
    """A result as computed at `at` (epoch seconds), and whether that is up to date."""

    value: T
    at: float
    is_current: bool


@dataclass(frozen=True, slots=True)
class Weight:
    """A driver of an image: its bytes, how many machines need it, and whether that is known."""

    digest: str
    size: int
    machines: int
    judged: bool


@dataclass(frozen=True, slots=True)
class CoverageFigures:
    """What is stored of an image against a fleet; drivers by digest, machines worst first."""

    machines: tuple[str, ...]
    network: Mapping[Status, int]
    storage: Mapping[Status, int]
    fixes: tuple[tuple[str, int], ...]
    fixes_total: int
    weights: tuple[Weight, ...]

    @staticmethod
    def of(found: Coverage) -> "CoverageFigures":
        return CoverageFigures(
            machines=tuple(one.machine.name for one in found.worst_first),
            network=found.shares[DriverKind.NETWORK],
            storage=found.shares[DriverKind.STORAGE],
            fixes=tuple((driver.digest, count) for driver, count in found.fixes[:FIXES_SHOWN]),
            fixes_total=len(found.fixes),
            weights=tuple(
                Weight(one.driver.digest, one.size, len(one.machines), one.judged)
                for one in found.weights
            ),
        )


@dataclass(frozen=True, slots=True)
class FleetCoverage:
    """An image against a fleet, as pages show it: stored figures, current drivers."""

    machines: tuple[str, ...]
    shares: Mapping[DriverKind, Counter[Status]]
    fixes: tuple[tuple[DriverSummary, int], ...]
    fixes_total: int
    weights: tuple[tuple[DriverSummary, Weight], ...]

    @property
    def unneeded(self) -> int:
        """How many drivers of the image no machine needs."""
        return sum(weight.judged and not weight.machines for _, weight in self.weights)


_FIGURES = TypeAdapter(CoverageFigures)
_CONFLICTS = TypeAdapter(ShownConflicts)
_CLASHES = TypeAdapter(tuple[ShownClash, ...])


class _Now:
    """What results depend on, at the moment of a transaction."""

    def __init__(self, site: Site, session: Session) -> None:
        self._changes = site.database.changes(session)

    @property
    def catalog(self) -> str:
        """The basis of results about the whole catalog."""
        return _basis(self._changes["catalog"], *(pair.id for pair in shipped_pairs()))

    def image(self, row_version: int, served: int | None) -> str:
        """The basis of what an image does for the fleet."""
        changes = (self._changes[subject] for subject in ("fleet", "catalog", "policy"))
        return _basis(*changes, row_version, served)

    def lacking(self, served: Mapping[str, int]) -> str:
        """The basis of what all images do for the machines that get them."""
        changes = (self._changes[subject] for subject in ("fleet", "catalog", "policy", "images"))
        return _basis(*changes, sorted(served.items()))


def _basis(*parts: object) -> str:
    return json.dumps([EDITION, *parts])


def stored_coverage(
    site: Site, view: ImageView, *, everybody: bool = False, served: bool = False
) -> Stored[FleetCoverage] | None:
    """As `coverage.coverage`, from what is stored; None if it was never computed."""
    with site.database.transaction() as session:
        basis = _Now(site, session).image(view.row_version, view.served_version)
        found = _find(session, _key_of(view.slug, everybody=everybody, served=served), basis)
        if found is None:
            return None
        figures = _FIGURES.validate_python(found.value)
        digests = {digest for digest, _ in figures.fixes}
        digests |= {weight.digest for weight in figures.weights}
        known = summaries_of(session, digests)
    shown = FleetCoverage(
        figures.machines,
        {
            DriverKind.NETWORK: Counter(figures.network),
            DriverKind.STORAGE: Counter(figures.storage),
        },
        tuple((known[digest], count) for digest, count in figures.fixes if digest in known),
        figures.fixes_total,
        tuple((known[one.digest], one) for one in figures.weights if one.digest in known),
    )
    return Stored(shown, found.at, found.is_current)


def stored_lacking(site: Site) -> Stored[int] | None:
    """How many machines would boot without a network driver; None if never counted."""
    served = site.point.numbers()
    with site.database.transaction() as session:
        found = _find(session, LACKING, _Now(site, session).lacking(served))
    return Stored(found.value["count"], found.at, found.is_current) if found else None


def stored_outlooks(site: Site, keys: Collection[str]) -> dict[str, StoredOutlook]:
    """What becomes of these machines if they boot, by key, as it was computed last."""
    with site.database.transaction() as session:
        return outlooks.find(session, keys)


def stored_conflicts(site: Site) -> Stored[ShownConflicts] | None:
    """Conflicts among all enabled drivers; None if never computed."""
    with site.database.transaction() as session:
        found = _find(session, CONFLICTS, _Now(site, session).catalog)
    if found is None:
        return None
    return Stored(_CONFLICTS.validate_python(found.value), found.at, found.is_current)


def stored_clashes(site: Site) -> tuple[ShownClash, ...]:
    """The known pairs among the enabled drivers, as last computed."""
    with site.database.transaction() as session:
        found = computed_results.find(session, CLASHES)
    return _CLASHES.validate_python(found.value["clashes"]) if found else ()


def _find(session: Session, key: str, basis: str) -> Stored[dict[str, Any]] | None:
    row = computed_results.find(session, key)
    return Stored(row.value, row.computed_at, row.basis == basis) if row else None


def refresh(site: Site) -> bool:
    """Compute the oldest result that is missing or out of date; False if there is none."""
    served = site.point.numbers()
    with site.database.transaction() as session:
        known = computed_results.bases(session)
        results = list(_results(session, site, served))
    gone = known.keys() - {key for one in results for key in one.keys}
    due = [one for one in results if one.basis != known.get(one.keys[0], ("", 0.0))[0]]
    if not (gone or due):
        return False
    values: dict[str, object] = {}
    if due:
        chosen = min(due, key=lambda one: known.get(one.keys[0], ("", 0.0))[1])
        values = dict(chosen.compute())
    fates = values.pop(FATES, None)
    with site.database.writing() as session:
        computed_results.forget(session, gone)
        if isinstance(fates, dict):
            outlooks.keep(session, fates)
        if values:
            computed_results.keep(session, values, basis=chosen.basis, at=time.time())
    return True


def refresh_all(site: Site) -> None:
    """Compute all that is missing or out of date, for a site without a worker."""
    while refresh(site):
        pass


@dataclass(frozen=True, slots=True)
class _Result:
    """Results that are computed together: their keys, their basis, and how.

    Under FATES `compute` may give outlooks of machines, which have a table of their own.
    """

    keys: tuple[str, ...]
    basis: str
    compute: Callable[[], Mapping[str, object]]


def _results(session: Session, site: Site, served: Mapping[str, int]) -> Iterator[_Result]:
    now = _Now(site, session)
    yield _Result((CONFLICTS, CLASHES), now.catalog, partial(_conflicts, site))
    yield _Result((LACKING,), now.lacking(served), partial(_lacking, site))
    rows = session.execute(select(ImageRow.name, ImageRow.slug, ImageRow.row_version))
    for name, slug, row_version in rows:
        keys = tuple(_key_of(slug, **variant) for variant in _VARIANTS)
        basis = now.image(row_version, served.get(name))
        yield _Result(keys, basis, partial(_coverages, site, slug))


_VARIANTS = tuple(
    {"everybody": everybody, "served": served}
    for served in (False, True)
    for everybody in (False, True)
)


def _key_of(slug: str, *, everybody: bool, served: bool) -> str:
    whom, what = "all" if everybody else "its own", "served" if served else "next"
    return f"coverage of {slug}: {what}, {whom}"


def _conflicts(site: Site) -> dict[str, object]:
    found = ShownConflicts.of(driver_relations.conflicts(site))
    return {CONFLICTS: found, CLASHES: {"clashes": found.pairs}}


def _lacking(site: Site) -> dict[str, object]:
    found = coverage.outlook(site)
    fates = {
        key: StoredOutlook(one.image, one.coverage.network.value, one.coverage.storage.value)
        for key, one in found.items()
    }
    return {LACKING: {"count": coverage.lacking(found.values())}, FATES: fates}


def _coverages(site: Site, slug: str) -> dict[str, object]:
    """An image in all variants; each version is compared with the machines once."""
    try:
        view = images.get_image(site, slug)
    except NotFound:  # deleted since
        return {}
    known = list_machines(site)
    own = {one.key for one in coverage.meant_for(view.name, known, decider(site))}
    shelf = coverage.Shelf(site, known, [view])
    found: dict[str, object] = {}
    for served in (False, True):
        drivers = shelf.drivers_of(view, served=served, weighed=True)
        whole = drivers.cover(machine.as_machine() for machine in known)
        part = drivers.summed(one for one in whole.machines if one.machine.name in own)
        found[_key_of(slug, everybody=True, served=served)] = CoverageFigures.of(whole)
        found[_key_of(slug, everybody=False, served=served)] = CoverageFigures.of(part)
    return found
