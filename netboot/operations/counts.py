"""Counts of what the site holds, for those who watch it."""

import shutil
from dataclasses import dataclass

from sqlalchemy import func, select

from netboot.site import Site
from netboot.store.database.records import DriverRow


@dataclass(frozen=True, slots=True)
class Counts:
    """`drivers` by whether they are enabled; `events` are the journal's so far; `free` bytes."""

    drivers: dict[bool, int]
    machines: int
    events: int
    free: int


def counts(site: Site) -> Counts:
    """How much there is of everything. Raises ContentFault when the journal cannot be read."""
    with site.database.transaction() as session:
        by_state = session.execute(
            select(DriverRow.enabled, func.count()).group_by(DriverRow.enabled)
        )
        drivers = {bool(enabled): count for enabled, count in by_state}
    machines = len(site.machines.fleet().machines)
    return Counts(drivers, machines, site.journal.last_id(), shutil.disk_usage(site.data).free)
