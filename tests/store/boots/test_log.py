"""The boot log: the journal, folded and kept."""

import threading
import time
from dataclasses import replace

import pytest

from netboot.boot.told.attempts import Outcome, fold
from netboot.boot.told.events import ContentServed, PeReported
from netboot.store.boots import log as module
from netboot.store.boots.journal import Journal
from netboot.store.boots.log import BootLog
from netboot.store.boots.rows import BootFilter
from tests.web.support import seeding

ALL = BootFilter()


def many(count=20, begin=0):
    return [
        event
        for n in range(begin, begin + count)
        for event in seeding.boot_events(f"52:54:00:00:01:{n:02x}", at=1000.0 + 50 * n)
    ]


def plain(attempts):
    return [replace(attempt, steps=(), dropped_steps=0, number=0) for attempt in attempts]


@pytest.mark.parametrize("saved", [False, True])
def test_what_is_kept_is_what_a_fold_of_the_whole_journal_gives(site, saved):
    """However the events came in, and whether they were saved between."""
    events = many()
    for start in range(0, len(events), 7):
        seeding.tell(site, *events[start : start + 7])
        if saved:
            site.boots.save()
        site.boots.newest(ALL, 5, 0.0)

    assert plain(fold(events)) == plain(site.boots.newest(ALL, 50, 0.0))
    assert plain(fold(events)[:3]) == plain(site.boots.newest(ALL, 3, 0.0))


def test_a_boot_that_is_cut_in_two_by_a_restart_stays_one(site):
    """Another process goes on where the rows end, and knows what was under way."""
    events = seeding.boot_events(at=time.time() - 60)
    seeding.tell(site, *many(3), *events[:4])
    site.boots.save()
    seeding.tell(site, *events[4:])
    other = BootLog(site.database, site.journal)
    other.save()

    (newest, *_) = other.newest(ALL, 50, time.time())
    assert "e1000" == newest.driver
    assert 4 == len(other.newest(ALL, 50, time.time()))
    assert newest.key == fold(events)[0].key


def test_one_boot_comes_with_its_whole_story(site):
    """Its steps are the journal's, saved or not."""
    events = many(2)
    seeding.tell(site, *events)
    key = fold(events)[0].key

    before = site.boots.find(key)
    site.boots.save()
    assert plain([before]) == plain([site.boots.find(key)])
    assert 8 == len(site.boots.find(key).steps)
    assert site.boots.find("nobody-1") is None


def test_a_machine_known_by_its_address_alone_gets_its_name(site):
    """The boot stays one when its MAC address becomes known."""
    seeding.tell(site, ContentServed(at=1000.0, ip="10.0.0.7", name="boot.wim", size=9, seconds=1.0,
                                     image="PE", version=1))  # fmt: skip
    site.boots.save()
    assert ["10.0.0.7"] == [one.machine for one in site.boots.newest(ALL, 9, 0.0)]
    seeding.tell(site, PeReported(at=1020.0, mac="52:54:00:00:00:07", ip="10.0.0.7", image="PE",
                                  version=1, driver="d", device="e"))  # fmt: skip

    for _ in range(2):
        assert ["52:54:00:00:00:07"] == [one.machine for one in site.boots.newest(ALL, 9, 0.0)]
        assert {0: (1, 0)} == site.boots.by_hour(0.0)
        site.boots.save()


def test_counts_and_troubles_hold_before_and_after_saving(site):
    """What waits to be written is laid over the rows."""
    now = time.time()
    seeding.tell(site, *seeding.boot_events("52:54:00:00:00:01", at=now - 50, online=False))
    site.boots.save()
    seeding.tell(site, *seeding.boot_events("52:54:00:00:00:02", at=now - 40, online=False),
                 *seeding.boot_events("52:54:00:00:00:01", at=now - 35))  # fmt: skip

    for _ in range(2):
        assert ["2"] == [one.mac[-1] for one in site.boots.troubled(0.0, 9, now)]
        assert 2 == site.boots.count(BootFilter(outcome=Outcome.OFFLINE), now)
        assert (1, 2) == tuple(map(sum, zip(*site.boots.by_hour(0.0).values(), strict=True)))
        assert 3 == len(site.boots.rates(10))
        assert 2 == len(site.boots.rates(2))
        site.boots.save()


def test_another_journal_begins_anew(site):
    """Somebody removed the file: what was kept stays, and the log goes on."""
    seeding.tell(site, *many(2))
    site.boots.save()
    site.journal.close()
    for path in site.data.glob("journal.db*"):
        path.unlink()
    other = BootLog(site.database, Journal(site.data / "journal.db"))
    vars(site)["journal"] = other._journal
    seeding.tell(site, *seeding.boot_events("52:54:00:00:03:00", at=9000.0)[:2])

    assert 3 == len(other.newest(ALL, 9, 0.0))


def test_reading_does_not_wait_for_a_writers_turn(site):
    """While somebody imports a catalog, pages of boots go on."""
    seeding.tell(site, *many(2))
    site.boots.save()
    seeding.tell(site, *many(2, begin=2))
    held, go_on = threading.Event(), threading.Event()

    def hold():
        with site.database.writing():
            held.set()
            go_on.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert held.wait(10)
        assert 4 == len(site.boots.newest(ALL, 9, 0.0))
    finally:
        go_on.set()
        holder.join()


def test_a_long_journal_is_saved_as_it_is_read(site, monkeypatch):
    """Memory stays bounded."""
    monkeypatch.setattr(module, "PENDING", 5)
    monkeypatch.setattr(module, "BATCH", 20)
    seeding.tell(site, *many(30))
    site.boots.catch_up()

    assert len(site.boots._pending) <= 8
    assert 30 == len(site.boots.newest(ALL, 50, 0.0))


def test_old_boots_are_forgotten(site):
    """All but the newest."""
    seeding.tell(site, *many(6))
    site.boots.save()

    assert 4 == site.boots.forget(keep=2)
    assert 2 == len(site.boots.newest(ALL, 9, 0.0))


def test_a_boot_reads_the_same_before_and_after_saving(site):
    """Or open pages would be sent what they show already."""
    now = time.time()
    seeding.tell(site, *many(3), *seeding.boot_events("52:54:00:00:00:09", at=now, online=False))
    before = site.boots.newest(ALL, 9, now), site.boots.troubled(0.0, 9, now)
    site.boots.save()

    assert before == (site.boots.newest(ALL, 9, now), site.boots.troubled(0.0, 9, now))
    assert 4 == len(before[0])
    assert not any(attempt.steps for attempt in before[0])
