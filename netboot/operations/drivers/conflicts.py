"""Which drivers of the whole catalog claim the same devices, or install the same service.

Models are read only of drivers whose ids are not all claimed alike, and of these only where an
id is shared: a look at twenty thousand drivers takes half a second.
"""

from collections.abc import Iterator, Sequence

from sqlalchemy.orm import Session

from netboot.images.drivers.driver import Span
from netboot.images.drivers.matching import Conflict, Package, id_conflicts, service_conflicts
from netboot.store.drivers import claims as catalog_claims
from netboot.store.drivers.entry import DriverSummary
from netboot.store.drivers.index import CatalogIndex, Indexed

Shared = list[tuple[str, list[Indexed]]]


def enabled_conflicts(
    session: Session, index: CatalogIndex
) -> tuple[tuple[Conflict, ...], tuple[Conflict, ...]]:
    """Conflicts among the enabled drivers of the catalog: by hardware id, and by service."""
    enabled = {row.said.number: row for row in index.rows if row.group.enabled}
    seen = _Seen()
    shared = _shared(session, enabled)
    by_id = id_conflicts(_claims(session, shared, seen))
    installed = catalog_claims.services(session)
    by_service = service_conflicts(
        (seen.summary(enabled[number]), installed[number])
        for number in sorted(installed.keys() & enabled.keys())
    )
    return by_id, by_service


class _Seen:
    """Summaries, made once however many conflicts a driver is in."""

    def __init__(self) -> None:
        self._made: dict[int, DriverSummary] = {}

    def summary(self, row: Indexed) -> DriverSummary:
        number = row.said.number
        if number not in self._made:
            self._made[number] = row.summary
        return self._made[number]


def _shared(session: Session, enabled: dict[int, Indexed]) -> Shared:
    """Ids that enabled drivers of several packages claim, with these drivers."""
    found = []
    for identifier, numbers in catalog_claims.shared_ids(session):
        rows = [enabled[number] for number in numbers if number in enabled]
        if len(rows) > 1 and len({row.said.family for row in rows}) > 1:
            found.append((identifier, rows))
    return found


def _claims(
    session: Session, shared: Shared, seen: _Seen
) -> Iterator[tuple[str, Sequence[tuple[Package, Span]]]]:
    """The shared ids with who claims them on what."""
    alike = catalog_claims.common_spans(session)
    unlike: dict[int, set[str]] = {}
    for identifier, rows in shared:
        for row in rows:
            if row.said.number not in alike:
                unlike.setdefault(row.said.number, set()).add(identifier)
    ids = frozenset().union(*unlike.values())
    told = catalog_claims.claimed_spans(session, unlike, ids)
    for identifier, rows in shared:
        yield (
            identifier,
            [
                (seen.summary(row), span)
                for row in rows
                for span in alike.get(row.said.number, ())
                or told.get(row.said.number, {}).get(identifier, ())
            ],
        )
