"""Counts for those who watch the site."""

from netboot.operations import counts as metrics_facts
from tests.web.support.seeding import add_driver, boot_events, tell


def test_what_there_is_is_counted(site, tmp_path):
    """Drivers by state, events, free space."""
    add_driver(site, tmp_path, "one", enabled=True)
    add_driver(site, tmp_path, "two", ids=("PCI\\VEN_1&DEV_2",))
    tell(site, *boot_events())
    found = metrics_facts.counts(site)

    assert found.drivers == {True: 1, False: 1}
    assert len(boot_events()) == found.events
    assert metrics_facts.free_bytes(site) > 0
