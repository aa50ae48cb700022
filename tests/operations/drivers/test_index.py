"""netboot.operations.drivers.index: the index is kept while it is true, and no longer."""

import gc
import weakref

from netboot.operations.drivers import drivers
from netboot.operations.drivers.index import index_now
from netboot.site import Site
from tests.web.support import seeding


def test_an_index_is_kept_while_nothing_is_changed(site, tmp_path):
    """What happens elsewhere in the database is no reason to read it again."""
    seeding.add_driver(site, tmp_path, "nic")
    index = index_now(site)
    seeding.add_accounts(site)

    assert index is index_now(site)


def test_what_another_process_changed_is_seen_at_once(any_site, tmp_path):
    """Another site on the same data has connections of its own, as the worker has."""
    nic = seeding.add_driver(any_site, tmp_path, "nic")
    other = Site(any_site.data)
    assert [False] == [row.group.enabled for row in index_now(any_site).rows]

    drivers.enable_driver(other, nic.digest)
    assert [True] == [row.group.enabled for row in index_now(any_site).rows]
    drivers.delete_driver(other, nic.digest)
    assert () == index_now(any_site).rows
    other.database.close()


def test_an_index_goes_with_its_database(tmp_path):
    """Memory has an end."""
    site = Site.open(tmp_path / "data")
    index = weakref.ref(index_now(site))
    site.database.close()
    del site
    gc.collect()

    assert index() is None
