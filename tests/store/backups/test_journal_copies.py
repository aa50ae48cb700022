import json

import pytest

from netboot.errors import ContentFault, DiskFault
from netboot.store.backups import journal_copies, row_copies
from netboot.store.boots.journal import Journal
from tests.web.support.seeding import boot_events


@pytest.fixture
def journal(tmp_path):
    made = Journal(tmp_path / "journal.db")
    for event in boot_events():
        made.emit(event)
    assert made.flush()
    yield made
    made.close()


def rows(path):
    found = {}
    parts = list(journal_copies.parts_of(path, found))
    return [json.loads(line) for part in parts for line in part.splitlines()], found


def test_a_copied_journal_has_the_same_entries_and_counts_on(journal, tmp_path):
    """The number of a deleted entry is not used again: the database may name it."""
    last = journal.last_id()
    journal.prune(until=last, keep=2)
    lines, found = rows(tmp_path / "journal.db")
    count = journal_copies.make_journal(tmp_path / "new.db", lines[:1], found["last_id"])
    other = Journal(tmp_path / "new.db")
    other.emit(boot_events()[0])
    assert other.flush()

    assert (found["rows"], found["last_id"], count) == (2, last, 1)
    assert other.events_since(0)[0] == journal.events_since(0)[0]
    assert other.last_id() == last + 1
    other.close()


def test_a_site_without_a_journal_has_no_entries(tmp_path):
    assert rows(tmp_path / "none.db") == ([], {"rows": 0, "last_id": 0})
    assert not (tmp_path / "none.db").exists()


def test_parts_are_small(journal, tmp_path, monkeypatch):
    monkeypatch.setattr(row_copies, "PART_BYTES", 10)
    parts = list(journal_copies.parts_of(tmp_path / "journal.db", {}))

    assert len(parts) == journal.last_id()


def test_a_damaged_journal_is_named(tmp_path):
    (tmp_path / "journal.db").write_bytes(b"no database" * 1000)
    with pytest.raises(ContentFault, match="journal"):
        rows(tmp_path / "journal.db")
    with pytest.raises(DiskFault):
        journal_copies.make_journal(tmp_path / "no" / "journal.db", [], 0)
