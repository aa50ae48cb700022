"""Counts of what the site holds, for its metrics."""

import shutil
from dataclasses import dataclass

from netboot.operations.drivers.search import driver_totals
from netboot.site import Site
from netboot.store.boots import machines as machine_rows


@dataclass(frozen=True, slots=True)
class Counts:
    """`drivers` by whether they are enabled; `events` are the journal's so far; `free` bytes."""

    drivers: dict[bool, int]
    machines: int
    events: int
    free: int


def counts(site: Site) -> Counts:
    """Raises ContentFault if the journal cannot be read."""
    with site.database.transaction() as session:
        machines = machine_rows.count(session)
    return Counts(
        driver_totals(site), machines, site.journal.last_id(), shutil.disk_usage(site.data).free
    )
