"""The journal's entries become boots' rows, whatever comes between."""

import time
from dataclasses import replace

import pytest

from netboot.boot.told.attempts import fold
from netboot.boot.told.events import ContentServed, PeReported
from netboot.store.boots import hours, rows
from netboot.store.boots.folding import BootFolding
from netboot.store.boots.rows import BootFilter
from tests.web.support import seeding


class Rows:
    """Folds a site's journal, as far as it was not folded, and reads the rows."""

    def __init__(self, site):
        self.site, self.mark = site, 0
        self.folding = BootFolding(site.journal)

    def tell(self, *events):
        for event in events:
            self.site.journal.emit(event)
        assert self.site.journal.flush()

    def fold(self, folding=None):
        entries = self.site.journal.events_since(self.mark)
        with self.site.database.writing() as session:
            (folding or self.folding).fold(entries, session, mark=self.mark)
        self.mark = entries[-1].id if entries else self.mark

    def read(self):
        with self.site.database.transaction() as session:
            return rows.newest(session, BootFilter(), 99, 0.0)

    def hours(self):
        with self.site.database.transaction() as session:
            return hours.since(session, 0)


@pytest.fixture
def boots(site):
    return Rows(site)


def many(count=20):
    return [
        event
        for n in range(count)
        for event in seeding.boot_events(f"52:54:00:00:01:{n:02x}", at=1000.0 + 50 * n)
    ]


def plain(attempts):
    return [replace(attempt, steps=(), dropped_steps=0, number=0) for attempt in attempts]


@pytest.mark.parametrize("restarted", [False, True])
def test_rows_are_what_a_fold_of_the_whole_journal_gives(boots, restarted):
    """However the entries are cut, and whether or not the same process folds them all."""
    events = many()
    for start in range(0, len(events), 7):
        boots.tell(*events[start : start + 7])
        boots.fold(BootFolding(boots.site.journal) if restarted else None)

    assert plain(fold(events)) == plain(boots.read())
    assert sum(map(sum, boots.hours().values())) == 20


def test_two_processes_that_take_turns_make_the_same_rows(boots):
    """Each finds the mark where the other left it, and reads what it missed."""
    events, other = many(6), BootFolding(boots.site.journal)
    for start in range(0, len(events), 5):
        boots.tell(*events[start : start + 5])
        boots.fold(other if start % 2 else None)

    assert plain(fold(events)) == plain(boots.read())


def test_a_commit_that_failed_is_folded_again(boots):
    """What the process held in memory is forgotten, for the rows know nothing of it."""
    events = many(2)
    boots.tell(*events[:4])
    boots.fold()
    boots.tell(*events[4:])
    with pytest.raises(ZeroDivisionError), boots.site.database.writing() as session:
        entries = boots.site.journal.events_since(boots.mark)
        boots.folding.fold(entries, session, mark=boots.mark)
        _ = 1 // 0
    boots.fold()

    assert plain(fold(events)) == plain(boots.read())


def test_a_boot_that_is_cut_in_two_by_a_restart_stays_one(boots):
    """Another process knows what was under way."""
    events = seeding.boot_events(at=time.time() - 60)
    boots.tell(*many(3), *events[:4])
    boots.fold()
    boots.tell(*events[4:])
    boots.fold(BootFolding(boots.site.journal))

    (newest, *others) = boots.read()
    assert (newest.driver, len(others)) == ("e1000", 3)
    assert newest.key == fold(events)[0].key


def test_a_machine_known_by_its_address_alone_gets_its_name(boots):
    """The boot stays one when its MAC address becomes known, and its old row goes."""
    boots.tell(ContentServed(at=1000.0, ip="10.0.0.7", name="boot.wim", size=9, seconds=1.0,
                             image="PE", version=1))  # fmt: skip
    boots.fold()
    assert [one.machine for one in boots.read()] == ["10.0.0.7"]
    boots.tell(PeReported(at=1020.0, mac="52:54:00:00:00:07", ip="10.0.0.7", image="PE",
                          version=1, driver="d", device="e"))  # fmt: skip
    boots.fold()

    assert [one.machine for one in boots.read()] == ["52:54:00:00:00:07"]
    assert boots.hours() == {0: (1, 0)}


def test_entries_that_are_folded_again_change_nothing(boots):
    """So it may begin at an earlier mark than it had to."""
    boots.tell(*many(4))
    boots.fold()
    before = boots.read(), boots.hours()
    boots.mark = 10
    boots.fold()

    assert before == (boots.read(), boots.hours())
