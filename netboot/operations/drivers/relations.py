"""How drivers relate: versions of one package, rivals for one device, conflicts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from netboot.images.architecture import Architecture
from netboot.images.drivers import catalog
from netboot.images.drivers.driver import Driver
from netboot.images.drivers.known_pairs import Clash, KnownPair, several_versions
from netboot.images.drivers.matching import Conflict, DriverIndex, Package, service_clashes
from netboot.images.servicing.plan import load_order
from netboot.operations.drivers.conflicts import enabled_conflicts
from netboot.operations.drivers.drivers import find_driver
from netboot.operations.drivers.known_pairs import clashes_among, enabled_clashes
from netboot.site import Site
from netboot.store.database.records import DriverRow, HardwareIdRow
from netboot.store.drivers.entry import DriverSummary, family_of, summary
from netboot.store.drivers.rows import NO_DRIVERS, SHOWN, driver_value, load_drivers, summary_value
from netboot.store.images.rows import drivers_of, find_image

RIVALS_SHOWN = 20
CONFLICTS_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Rival:
    """Another package that claims ids of a driver, on an architecture and build of its own."""

    driver: DriverSummary
    hardware_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Relations:
    """A driver among the others.

    `superseded_by` is a newer version that claims all that this one claims, or None. `versions` are
    all others of its package, newest first. `rivals` are other packages, those that share the most
    ids first.
    """

    superseded_by: DriverSummary | None
    versions: tuple[DriverSummary, ...]
    rivals: tuple[Rival, ...]


@dataclass(frozen=True, slots=True)
class Conflicts:
    """Drivers that conflict.

    `ids`: by hardware id. `services`: by the service that they install. `pairs`: known conflicts.
    `versions`: of one package, which matter only in an image, because Windows PE keeps the one that
    it loads first.
    """

    ids: tuple[Conflict, ...]
    services: tuple[Conflict, ...]
    pairs: tuple[Clash, ...] = ()
    versions: tuple[tuple[Driver, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Named:
    """A driver as pages name it."""

    digest: str
    name: str
    version: str
    provider: str

    @staticmethod
    def all_of(drivers: Iterable[Package]) -> "tuple[Named, ...]":
        return tuple(Named(one.digest, one.name, one.version, one.provider) for one in drivers)


@dataclass(frozen=True, slots=True)
class ShownConflict:
    """A conflict as pages show it."""

    hardware_id: str
    architecture: Architecture
    drivers: tuple[Named, ...]

    @staticmethod
    def first_of(found: Sequence[Conflict]) -> "tuple[ShownConflict, ...]":
        return tuple(
            ShownConflict(one.hardware_id, one.architecture, Named.all_of(one.drivers))
            for one in found[:CONFLICTS_SHOWN]
        )


@dataclass(frozen=True, slots=True)
class ShownClash:
    """Drivers that a known pair is about, as pages show them."""

    pair: KnownPair
    first: tuple[Named, ...]
    second: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class ShownConflicts:
    """Conflicts as pages show them: the first of each kind, and how many there are in all."""

    ids: tuple[ShownConflict, ...]
    ids_total: int
    services: tuple[ShownConflict, ...]
    services_total: int
    pairs: tuple[ShownClash, ...]
    versions: tuple[tuple[Named, ...], ...]

    @staticmethod
    def of(found: Conflicts) -> "ShownConflicts":
        return ShownConflicts(
            ids=ShownConflict.first_of(found.ids),
            ids_total=len(found.ids),
            services=ShownConflict.first_of(found.services),
            services_total=len(found.services),
            pairs=tuple(
                ShownClash(one.pair, Named.all_of(one.first), Named.all_of(one.second))
                for one in found.pairs
            ),
            versions=tuple(map(Named.all_of, found.versions)),
        )


def relations(site: Site, driver: str) -> Relations:
    """A driver among the others of the catalog. Raises NotFound, InvalidInput."""
    with site.database.transaction() as session:
        row = find_driver(session, driver)
        here = driver_value(row)
        versions = load_drivers(
            session, (DriverRow.family == family_of(here)) & (DriverRow.id != row.id)
        )
        rivals = _rivals(session, row.id, here) if here.kind.drives else ()
    by_digest = {version.digest: version for version in versions}
    newer = catalog.superseded([here, *versions]).get(here.digest)
    return Relations(
        superseded_by=summary(by_digest[newer]) if newer else None,
        versions=tuple(summary(one) for one in sorted(versions, key=catalog.age, reverse=True)),
        rivals=rivals,
    )


def newer_versions(site: Site, shown: Iterable[DriverSummary]) -> dict[str, DriverSummary]:
    """The newest version of each driver that is not the newest itself."""
    digests = [one.digest for one in shown]
    here = select(DriverRow.family).where(DriverRow.digest.in_(digests))
    query = select(DriverRow.family, *SHOWN).where(DriverRow.family.in_(here))
    families: dict[str, list[DriverSummary]] = {}
    with site.database.transaction() as session:
        for row in session.execute(query):
            families.setdefault(row.family, []).append(summary_value(row))
    found: dict[str, DriverSummary] = {}
    for versions in families.values():
        newest = max(versions, key=catalog.age)
        older = (one for one in versions if catalog.age(one) < catalog.age(newest))
        found |= {one.digest: newest for one in older}
    return {digest: found[digest] for digest in digests if digest in found}


def conflicts(site: Site, image: str = "") -> Conflicts:
    """Conflicts among the drivers of an image, or among all that are enabled. Raises NotFound.

    The latter takes a while: pages show what was stored (`fleet_results.stored_conflicts`).
    """
    with site.database.transaction() as session:
        held = drivers_of(session, find_image(session, image)) if image else None
    if held is not None:
        return image_conflicts(site, held)
    with site.database.transaction() as session:
        by_id, by_service = enabled_conflicts(session)
    return Conflicts(by_id, by_service, enabled_clashes(site))


def image_conflicts(site: Site, drivers: Sequence[Driver]) -> Conflicts:
    """Conflicts among the drivers of one image, in the order of its recipe."""
    order = load_order(tuple(drivers))
    index = DriverIndex(order)
    return Conflicts(
        index.conflicts, service_clashes(order), clashes_among(site, order), several_versions(order)
    )


def _rivals(session: Session, number: int, here: Driver) -> tuple[Rival, ...]:
    mine, other = aliased(HardwareIdRow), aliased(HardwareIdRow)
    sharing = (
        select(other.driver_id)
        .join(mine, mine.hardware_id == other.hardware_id)
        .join(DriverRow, DriverRow.id == other.driver_id)
        .where(mine.driver_id == number, DriverRow.family != family_of(here))
        .where(DriverRow.kind.not_in(NO_DRIVERS))
        .group_by(other.driver_id)
        .order_by(func.count().desc(), other.driver_id)
        .limit(RIVALS_SHOWN)
    )
    numbers = list(session.scalars(sharing))
    claimed = frozenset(here.hardware_ids)
    others = load_drivers(session, DriverRow.id.in_(numbers), claiming=claimed) if numbers else []
    found = [(other, _shared_ids(here, other)) for other in others]
    ranked = sorted(found, key=lambda pair: (-len(pair[1]), pair[0].name))
    return tuple(Rival(summary(driver), ids) for driver, ids in ranked if ids)


def _shared_ids(here: Driver, other: Driver) -> tuple[str, ...]:
    """The ids that both claim on the same architecture and Windows build."""
    found = DriverIndex((here, other)).conflicts
    return tuple(dict.fromkeys(conflict.hardware_id for conflict in found))
