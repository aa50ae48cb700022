"""The catalog's index of a site as it is now: read again when the catalog was changed.

An index belongs to the open database and goes with it. Its memory is that of the narrow rows,
about a kilobyte a driver.
"""

import threading
from weakref import WeakKeyDictionary

from netboot.operations.kept_results import KeptResults
from netboot.site import Site
from netboot.store.database.site_database import Database
from netboot.store.drivers.index import CatalogIndex, Indexed, read_index

SEARCHES = 16
"""Searches that are kept; one that finds all of 20,000 drivers takes 160 kB."""


class _Held:
    """What is held for one open database. `found` keeps searches by their text."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.stamp: tuple[int, ...] = ()
        self.index: CatalogIndex | None = None
        self.found: KeptResults[tuple[Indexed, ...]] = KeptResults(limit=SEARCHES)


_lock = threading.Lock()
_held: WeakKeyDictionary[Database, _Held] = WeakKeyDictionary()


def index_now(site: Site) -> CatalogIndex:
    """All drivers of the catalog as lists show them."""
    return stamped_index(site)[0]


def stamped_index(site: Site) -> tuple[CatalogIndex, tuple[int, ...]]:
    """The index, and the stamp of what is made of it."""
    held = _held_for(site)
    with held.lock:
        stamp = site.database.stamp("catalog")
        if held.index is None or held.stamp != stamp:
            with site.database.transaction() as session:
                held.index = read_index(session, held.index)
            held.stamp = stamp
        return held.index, stamp


def found_by_text(site: Site) -> KeptResults[tuple[Indexed, ...]]:
    """What searches found, by text: to be kept as long as the stamp says that it is true."""
    return _held_for(site).found


def _held_for(site: Site) -> _Held:
    with _lock:
        return _held.setdefault(site.database, _Held())
