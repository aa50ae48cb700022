"""Drivers of the whole catalog that claim the same devices, or install the same service.

Models are read only of drivers whose ids are not all claimed in the same way, and only for shared
ids: twenty thousand drivers take half a second.
"""

from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from netboot.images.drivers.driver import Span
from netboot.images.drivers.matching import (
    Conflict,
    Package,
    id_conflicts,
    service_conflicts,
    without_twins,
)
from netboot.store.database.records import DriverRow
from netboot.store.drivers import claims as catalog_claims
from netboot.store.drivers.entry import DriverSummary
from netboot.store.drivers.rows import NO_DRIVERS, SHOWN, load_packages, summary_value

Shared = list[tuple[str, list[int]]]


def enabled_conflicts(session: Session) -> tuple[tuple[Conflict, ...], tuple[Conflict, ...]]:
    """Conflicts among the enabled drivers: by hardware id, and by service."""
    enabled: dict[int, DriverSummary] = {}
    families: dict[int, str] = {}
    columns = (DriverRow.id, DriverRow.family, *SHOWN)
    drives = DriverRow.kind.not_in(NO_DRIVERS)
    for row in session.execute(select(*columns).where(DriverRow.enabled, drives)):
        enabled[row.id], families[row.id] = summary_value(row), row.family
    by_id = id_conflicts(_claims(session, _shared(session, families), enabled))
    installed = catalog_claims.services(session)
    by_service = service_conflicts(
        (enabled[number], installed[number]) for number in sorted(installed.keys() & enabled.keys())
    )
    clashing = {driver.digest for one in by_service for driver in one.drivers}
    packages = load_packages(session, clashing) if clashing else {}
    return by_id, without_twins(by_service, packages.values())


def _shared(session: Session, families: Mapping[int, str]) -> Shared:
    """Ids that enabled drivers of several packages claim, and the numbers of these drivers."""
    found = []
    for identifier, numbers in catalog_claims.shared_ids(session):
        claiming = [number for number in numbers if number in families]
        if len({families[number] for number in claiming}) > 1:
            found.append((identifier, claiming))
    return found


def _claims(
    session: Session, shared: Shared, enabled: Mapping[int, DriverSummary]
) -> Iterator[tuple[str, Sequence[tuple[Package, Span]]]]:
    """The shared ids, and the drivers that claim each."""
    alike = catalog_claims.common_spans(session)
    unlike: dict[int, set[str]] = {}
    for identifier, numbers in shared:
        for number in numbers:
            if number not in alike:
                unlike.setdefault(number, set()).add(identifier)
    ids = frozenset().union(*unlike.values())
    claimed = catalog_claims.claimed_spans(session, unlike, ids)
    for identifier, numbers in shared:
        yield (
            identifier,
            [
                (enabled[number], span)
                for number in numbers
                for span in alike.get(number, ()) or claimed.get(number, {}).get(identifier, ())
            ],
        )
