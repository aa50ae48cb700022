"""The thread that keeps boots and machines saved."""

import time

from netboot.errors import OperatorFault
from netboot.operations.machines import coverage
from netboot.site import Site
from netboot.store.boots.log import BootLog
from netboot.store.boots.machines import MachineLog
from netboot.store.boots.rows import BootFilter
from netboot.store.database.records import MachineRow
from tests.web.support import seeding
from web.live import follower as module
from web.live.follower import Follower


def rows(site):
    """What another process sees that has not read the journal."""
    from netboot.store.boots import rows as boot_rows

    with site.database.transaction() as session:
        return boot_rows.newest(session, BootFilter(), 9, time.time())


def test_what_happened_is_saved_at_the_latest_when_it_stops(site):
    """Nothing waits in memory when the console ends."""
    follower = Follower(site).start()
    seeding.tell(site, *seeding.boot_events())
    follower.stop()

    assert ["e1000"] == [attempt.driver for attempt in rows(site)]
    with site.database.transaction() as session:
        assert ["52:54:00:12:34:56"] == [row.key for row in session.query(MachineRow)]


def test_a_large_site_is_read_before_its_first_page(site, monkeypatch):
    """Nobody who looks waits for ten thousand machines, or for an image to be held against them."""
    image = seeding.add_image(site)
    seeding.tell(site, *seeding.boot_events())
    site.machines.save()
    other = Site.open(site.data)
    follower = Follower(other).start()
    monkeypatch.setattr(MachineLog, "_read", None)
    assert 1 == len(other.machines.fleet().machines)
    follower._look_ahead()
    monkeypatch.setattr(coverage, "decider", None)

    assert 1 == len(coverage.coverage(other, image.slug, glance=True).machines)
    follower.stop()
    other.database.close()
    other.journal.close()


def test_a_damaged_site_has_a_console_all_the_same(site):
    """Its pages tell what is wrong; the thread goes on trying."""
    site.point.pointer.write_text("damaged")
    seeding.tell(site, *seeding.boot_events())
    follower = Follower(site).start()
    follower.stop()

    assert 1 == len(rows(site))


def test_a_database_that_refuses_is_tried_again(site, monkeypatch):
    """The thread lives on, and the next try saves."""
    monkeypatch.setattr(module, "SAVE_SECONDS", 0.01)
    tries = []
    save = BootLog.save

    def refuse_first(self):
        tries.append(1)
        if len(tries) < 3:
            raise OperatorFault("the disk is full")
        save(self)

    monkeypatch.setattr(BootLog, "save", refuse_first)
    seeding.tell(site, *seeding.boot_events())
    follower = Follower(site).start()
    while len(tries) < 4:
        follower._stopping.wait(0.01)
    follower.stop()

    assert 1 == len(rows(site))
