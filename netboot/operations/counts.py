"""Counts of what the site holds, for its metrics."""

import shutil
from dataclasses import dataclass

from netboot.operations.drivers.search import driver_totals
from netboot.site import Site
from netboot.store.boots import journal_mark
from netboot.store.boots import machines as machine_rows


@dataclass(frozen=True, slots=True)
class Counts:
    """`drivers` by whether they are enabled; `events` are the journal's so far.

    `set_aside` counts journal entries that are in no boot, because netboot failed on them.
    """

    drivers: dict[bool, int]
    machines: int
    events: int
    set_aside: int


def counts(site: Site) -> Counts:
    """Raises ContentFault if the journal cannot be read."""
    with site.database.transaction() as session:
        machines = machine_rows.count(session)
        aside = journal_mark.aside(session).count
    return Counts(driver_totals(site), machines, site.journal.last_id(), aside)


def free_bytes(site: Site) -> int:
    """Free space for data."""
    return shutil.disk_usage(site.data).free


def set_aside(site: Site) -> int:
    """How many journal entries are in no boot, because netboot failed on them."""
    with site.database.transaction() as session:
        return journal_mark.aside(session).count
