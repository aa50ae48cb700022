"""The chain of hashes: what it shows when somebody was at it."""

import threading

import pytest
from sqlalchemy import delete, update

from netboot.store.database import audit
from netboot.store.database.account_records import AuditRow


@pytest.fixture
def log(site):
    """Writes entries; `log.verify()` walks the chain."""

    class Log:
        database = site.database
        folder = site.data

        def write(self, *actions, **more):
            return [
                audit.append(
                    self.database, self.folder, actor="ada", via="cli", action=action, **more
                )
                for action in actions
            ]

        def verify(self, **more):
            return audit.verify(self.database, self.folder, **more)

    return Log()


def test_an_empty_log_is_whole(log):
    """Nothing was written, nothing is missing."""
    assert (log.verify().count, log.verify().faults) == (0, ())


def test_what_was_written_is_read_back_and_holds(log):
    """Any text and any details, in both directions."""
    details = {"words": "ü\0\ud800 <b>", "number": 1.5, "list": ["a", None]}
    log.write("one", "two")
    (last,) = log.write("three", subject="images/ß" * 100, details=details)

    assert log.verify().faults == ()
    assert (3, last.hash) == (log.verify().count, log.verify().head)
    newest, *older = audit.entries(log.database, limit=10)
    assert newest == last
    assert newest.details["list"] == ["a", None]
    assert [entry.action for entry in older] == ["two", "one"]


@pytest.mark.parametrize(
    "change",
    [
        {"actor": "otto"},
        {"action": "none"},
        {"subject": "images/other"},
        {"outcome": "refused"},
        {"address": "10.0.0.1"},
        {"via": "page"},
        {"at": 1.0},
        {"details": {"a": 2}},
        {"hash": "0" * 64},
    ],
)
def test_an_altered_entry_is_found(log, change):
    """Whatever was altered; the number says where."""
    log.write("one", "two", "three", details={"a": 1})
    with log.database.writing() as session:
        session.execute(update(AuditRow).where(AuditRow.id == 2).values(**change))

    faults = log.verify().faults
    assert faults[0] == "entry 2 or an entry before it was changed"


def test_an_entry_that_was_taken_out_is_found(log):
    """The gap is named."""
    log.write("one", "two", "three")
    with log.database.writing() as session:
        session.execute(delete(AuditRow).where(AuditRow.id == 2))

    assert "entries 2 to 2 are missing" in log.verify().faults


def test_an_end_that_was_cut_off_is_found(log):
    """The chain alone would hold; the newest hash is kept beside the database."""
    log.write("one", "two", "three")
    with log.database.writing() as session:
        session.execute(delete(AuditRow).where(AuditRow.id == 3))

    assert log.verify().faults == (
        "entry 3 is missing or was replaced: the end of the log was removed",
    )


def test_a_log_that_was_written_anew_is_found_by_a_hash_noted_elsewhere(log):
    """Who may write database and folder can make a chain that holds, but not one with this hash."""
    noted = log.write("one", "two")[-1].hash
    assert log.verify(head=noted).faults == ()
    with log.database.writing() as session:
        session.execute(delete(AuditRow))
    (log.folder / audit.HEAD_FILE).unlink()
    log.write("harmless")

    assert log.verify().faults == ()
    assert "no entry has the saved hash" in log.verify(head=noted).faults[0]


def test_many_writers_make_one_chain(log):
    """Threads, as requests come."""
    threads = [
        threading.Thread(target=log.write, args=[f"{number}.{one}" for one in range(5)])
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (log.verify().count, log.verify().faults) == (40, ())


def test_entries_are_narrowed_and_read_in_parts(log):
    """By actor, subject, beginning of the action; before or after a number."""
    log.write("images.build", "images.delete", subject="images/a")
    log.write("drivers.enable", subject="drivers/b")

    def actions(**wanted):
        return [entry.action for entry in audit.entries(log.database, limit=9, **wanted)]

    assert actions(action="images.") == ["images.delete", "images.build"]
    assert actions(action="%") == []
    assert actions(subject="drivers/b") == ["drivers.enable"]
    assert actions(actor="otto") == []
    assert actions(before=2) == ["images.build"]
    assert actions(after=1) == ["images.delete", "drivers.enable"]
    assert audit.count(log.database, subject="images/a") == 2
    assert audit.last_id(log.database) == 3
