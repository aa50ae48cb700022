"""The console's memory of boots."""

import time

from netboot.boot.attempts import fold
from netboot.store.journal import Journal
from tests.web import seeding
from web.boot_log import BootLog


def test_what_is_kept_is_what_a_fold_of_the_whole_journal_gives(site):
    """However the events came in."""
    log = BootLog(site)
    events = [
        event
        for number in range(20)
        for event in seeding.boot_events(f"52:54:00:00:01:{number:02x}", at=1000.0 + 50 * number)
    ]
    for start in range(0, len(events), 7):
        seeding.tell(site, *events[start : start + 7])
        log.recent(5)

    assert fold(events) == log.recent()
    assert fold(events)[:3] == log.recent(3)


def test_an_old_journal_is_read_from_its_newer_end(site, monkeypatch):
    """A page must not wait for years of boots."""
    monkeypatch.setattr("web.boot_log.EVENTS_AT_FIRST", 16)
    for number in range(10):
        seeding.tell(site, *seeding.boot_events(f"52:54:00:00:02:{number:02x}", at=1000.0))

    assert 2 == len(BootLog(site).recent())


def test_another_journal_begins_anew(site):
    """Somebody removed the file: history is lost, and the pages go on."""
    log = BootLog(site)
    seeding.tell(site, *seeding.boot_events(at=time.time()))
    assert 1 == len(log.recent())
    site.journal.close()
    for path in site.data.glob("journal.db*"):
        path.unlink()
    vars(site)["journal"] = Journal(site.data / "journal.db")

    assert () == log.recent()
    seeding.tell(site, *seeding.boot_events("52:54:00:00:03:00", at=time.time())[:2])
    assert 1 == len(log.recent())
