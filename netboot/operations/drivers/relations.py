"""What drivers are to each other: versions of one package, and rivals for one device."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from netboot.images.drivers import catalog
from netboot.images.drivers.driver import Driver
from netboot.images.drivers.known_pairs import Clash, several_versions
from netboot.images.drivers.matching import Conflict, DriverIndex, service_clashes
from netboot.images.servicing.plan import load_order
from netboot.operations.drivers.conflicts import enabled_conflicts
from netboot.operations.drivers.drivers import find_driver
from netboot.operations.drivers.index import index_now
from netboot.operations.drivers.known_pairs import clashes_among, enabled_clashes
from netboot.operations.images import images
from netboot.operations.kept_results import KeptResults
from netboot.site import Site
from netboot.store.database.records import DriverRow, HardwareIdRow
from netboot.store.drivers.entry import DriverSummary, family_of, summary
from netboot.store.drivers.index import Said
from netboot.store.drivers.known_pairs import own_pairs
from netboot.store.drivers.rows import driver_value, load_drivers

RIVALS_SHOWN = 20

_kept: KeptResults["Conflicts"] = KeptResults()


@dataclass(frozen=True, slots=True)
class Rival:
    """Another package that claims ids of a driver, on an architecture and build of its own."""

    driver: DriverSummary
    hardware_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Relations:
    """A driver among the others.

    `superseded_by` is a newer version that claims all that this one claims, None where there
    is none. `versions` are all others of its package, the newest first. `rivals` are packages
    of other makers or names, those that share the most ids first.
    """

    superseded_by: DriverSummary | None
    versions: tuple[DriverSummary, ...]
    rivals: tuple[Rival, ...]


@dataclass(frozen=True, slots=True)
class Conflicts:
    """Drivers that get in each other's way.

    `ids`: by hardware id. `services`: by the service that they install. `pairs`: because they
    are known not to get along. `versions`: versions of one package, which matter in an image
    only, for there Windows PE keeps the one that it loads first.
    """

    ids: tuple[Conflict, ...]
    services: tuple[Conflict, ...]
    pairs: tuple[Clash, ...] = ()
    versions: tuple[tuple[Driver, ...], ...] = ()


def relations(site: Site, driver: str) -> Relations:
    """A driver among the others of the catalog. Raises NotFound, InvalidInput."""
    with site.database.transaction() as session:
        row = find_driver(session, driver)
        here = driver_value(row)
        versions = load_drivers(
            session, (DriverRow.family == family_of(here)) & (DriverRow.id != row.id)
        )
        rivals = _rivals(session, row.id, here)
    by_digest = {version.digest: version for version in versions}
    newer = catalog.superseded([here, *versions]).get(here.digest)
    return Relations(
        superseded_by=summary(by_digest[newer]) if newer else None,
        versions=tuple(summary(one) for one in sorted(versions, key=catalog.age, reverse=True)),
        rivals=rivals,
    )


def newer_versions(site: Site, shown: Iterable[DriverSummary]) -> dict[str, Said]:
    """For those of the drivers that are not the newest of their package: the newest."""
    outdated = index_now(site).outdated
    return {one.digest: outdated[one.digest] for one in shown if one.digest in outdated}


def conflicts(site: Site, image: str = "") -> Conflicts:
    """Conflicts among the drivers of an image, or among all that are enabled. Raises NotFound."""
    if image:
        return image_conflicts(site, images.get_image(site, image).drivers)
    return _kept.now(*_enabled_conflicts(site))


def conflicts_soon(site: Site) -> Conflicts | None:
    """Conflicts among all drivers that are enabled; None while they are worked out beside.

    For who only looks: in a large catalog it takes a while. Ask again in a second.
    """
    return _kept.soon(*_enabled_conflicts(site))


def _enabled_conflicts(site: Site) -> tuple[Hashable, Hashable, Callable[[], Conflicts]]:
    """Key and stamp of the conflicts of the whole catalog, and how they are found."""
    index = index_now(site)
    with site.database.transaction() as session:
        own = own_pairs(session)

    def make() -> Conflicts:
        with site.database.transaction() as session:
            by_id, by_service = enabled_conflicts(session, index)
        return Conflicts(by_id, by_service, enabled_clashes(site))

    return str(site.data), (index.enabled, own), make


def image_conflicts(site: Site, drivers: Sequence[Driver]) -> Conflicts:
    """Conflicts among the drivers of one image, which are in the order of its recipe."""
    order = load_order(tuple(drivers))
    index = DriverIndex(order)
    return Conflicts(
        index.conflicts,
        service_clashes(order),
        clashes_among(site, order),
        several_versions(order),
    )


def _rivals(session: Session, number: int, here: Driver) -> tuple[Rival, ...]:
    mine, other = aliased(HardwareIdRow), aliased(HardwareIdRow)
    sharing = (
        select(other.driver_id)
        .join(mine, mine.hardware_id == other.hardware_id)
        .join(DriverRow, DriverRow.id == other.driver_id)
        .where(mine.driver_id == number, DriverRow.family != family_of(here))
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
