"""The journal as daemons and pages use it: several processes, bad disks, sudden ends."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from netboot.boot.told.events import (
    DhcpStarted,
    Discovered,
    Event,
    ForeignOffer,
    NetworksChanged,
    OfferSent,
    RequestIgnored,
    RequestsCounted,
    TransferFinished,
)
from netboot.errors import ContentFault
from netboot.store.boots.journal import Entry, Journal, UnknownEvent

MAC, OTHER_MAC = "52:54:00:00:00:01", "52:54:00:00:00:02"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    journal = Journal(path)
    yield journal
    journal.close()


def discovered(number: int, mac: str = MAC) -> Discovered:
    return Discovered(at=float(number), mac=mac, architecture="x64", firmware="uefi", stage="ipxe")


def test_what_was_emitted_is_read_again(journal: Journal) -> None:
    """Events come back equal, oldest first, with rising ids."""
    events: list[Event] = [
        discovered(1),
        OfferSent(at=2.5, mac=MAC, file="snponly.efi", image="Größe 启动", version=7),
        TransferFinished(at=3.0, ip="10.0.0.9", name="boot.wim", size=5 << 30, seconds=1.25),
    ]
    for event in events:
        journal.emit(event)
    assert journal.flush()

    expected = [Entry(number, event) for number, event in enumerate(events, 1)]
    assert journal.events_since(0) == expected
    assert expected[2:] == journal.events_since(2)
    assert expected[:1] == journal.events_since(0, limit=1)
    assert expected[::-1] == journal.latest()
    assert journal.last_id() == 3


def test_the_newest_of_some_kinds_are_found_among_all(journal: Journal) -> None:
    """Newest first, no more than asked for, and not from too far back."""
    offers = [OfferSent(at=float(number), mac=MAC, file=f"{number}") for number in range(3)]
    for number, offer in enumerate(offers):
        journal.emit(offer)
        journal.emit(discovered(number))
    assert journal.flush()

    def found(*kinds: type[Event], limit: int = 9, within: int = 100) -> list[Event]:
        return [entry.event for entry in journal.latest_of(*kinds, limit=limit, within=within)]

    assert found(OfferSent) == offers[::-1]
    assert found(OfferSent, limit=1) == offers[2:]
    assert found(OfferSent, within=3) == offers[2:]
    assert len(found(OfferSent, Discovered)) == 6


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("one.efi",), 1),
        (("ONE", "52:54"), 1),
        (("one", "two"), 0),
        (("%",), 0),
        (("t_o",), 0),
        ((r"\x1b",), 1),
        (('"quoted"',), 1),
    ],
)
def test_entries_are_found_by_words_in_them(
    journal: Journal, words: tuple[str, ...], found: int
) -> None:
    """None of which is a pattern."""
    for file, reason in (("one.efi", r"odd: \x1b"), ("two.efi", 'is "quoted"')):
        journal.emit(OfferSent(at=1.0, mac=MAC, file=file, reason=reason))
    assert journal.flush()

    assert found == len(journal.latest_of(OfferSent, limit=9, containing=words))


def test_the_newest_start_is_found_however_long_ago_it_was(journal: Journal) -> None:
    """Whatever machines did since; it has an index of its own."""
    assert journal.latest_start() is None
    starts = [
        DhcpStarted(at=float(n), interface=f"eth{n}", address="10.0.0.2", ports="67", notes="")
        for n in range(2)
    ]
    for event in (*starts, *(discovered(number) for number in range(50))):
        journal.emit(event)
    assert journal.flush()

    found = journal.latest_start()
    assert found is not None
    assert found.event == starts[1]


def test_counts_are_found_however_much_came_since(journal: Journal) -> None:
    """By an index of their own: a storm brings thousands of events between two of them."""
    for number in range(3):
        journal.emit(RequestsCounted(at=float(number), service="TFTP", counts=f"{number}"))
        for at in range(50):
            journal.emit(discovered(at))
    assert journal.flush()

    assert [entry.event.at for entry in journal.latest_counts(2)] == [2.0, 1.0]
    with sqlite3.connect(journal._path) as connection:
        plan = connection.execute(
            "EXPLAIN QUERY PLAN SELECT id FROM events WHERE kind = 'RequestsCounted'"
            " ORDER BY id DESC LIMIT 2"
        ).fetchall()
    assert "events_of_counts" in str(plan)


def test_the_newest_state_of_the_networks_has_an_index_of_its_own(journal: Journal) -> None:
    assert journal.latest_networks() is None
    for number in range(2):
        journal.emit(NetworksChanged(at=float(number), networks=f"[{number}]"))
        journal.emit(discovered(number))
    assert journal.flush()

    found = journal.latest_networks()
    assert found is not None
    assert found.event == NetworksChanged(at=1.0, networks="[1]")
    with sqlite3.connect(journal._path) as connection:
        plan = connection.execute(
            "EXPLAIN QUERY PLAN SELECT id FROM events WHERE kind = 'NetworksChanged'"
            " ORDER BY id DESC LIMIT 1"
        ).fetchall()
    assert "events_of_networks" in str(plan)


@pytest.mark.parametrize(
    ("kinds", "index"),
    [
        ((ForeignOffer,), "events_of_others"),
        ((RequestIgnored,), "events_of_silence"),
        ((RequestIgnored, OfferSent), "events_of_answers"),
        ((OfferSent, RequestIgnored), "events_of_answers"),
    ],
)
def test_what_the_networks_page_asks_for_is_found_by_an_index(
    journal: Journal, kinds: tuple[type[Event], ...], index: str
) -> None:
    """Whatever machines did since; and the same is found as by looking at all."""
    events: list[Event] = [
        ForeignOffer(at=1.0, mac=MAC, server="10.0.0.9", file="x"),
        OfferSent(at=2.0, mac=MAC, file="a"),
        RequestIgnored(at=3.0, mac=MAC, reason="none"),
        discovered(4),
        OfferSent(at=5.0, mac=OTHER_MAC, file="b"),
    ]
    for event in events:
        journal.emit(event)
    assert journal.flush()
    statements: list[str] = []
    with journal._connected() as connection:
        connection.set_trace_callback(statements.append)
        found = [entry.event for entry in journal.latest_of(*kinds, limit=9)]
        connection.set_trace_callback(None)
        (plan,) = [
            str(connection.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall())
            for statement in statements
        ]

    assert [event for event in reversed(events) if isinstance(event, kinds)] == found
    assert index in plan


def test_a_journal_of_before_gets_the_indexes(path: Path) -> None:
    """When it is opened, with all that it holds."""
    journal = Journal(path)
    journal.emit(OfferSent(at=1.0, mac=MAC, file="a"))
    assert journal.flush()
    journal.close()
    with sqlite3.connect(path) as connection:
        for name in ("others", "silence", "answers"):
            connection.execute(f"DROP INDEX events_of_{name}")
    connection.close()
    again = Journal(path)

    assert len(again.latest_of(OfferSent, RequestIgnored, limit=5)) == 1
    again.close()


def test_an_empty_journal_has_nothing_to_tell(journal: Journal) -> None:
    """Reading before anything was written is not a fault."""
    assert journal.latest() == []
    assert journal.latest_of(OfferSent, limit=1) == []
    assert journal.last_id() == 0
    assert journal.flush()


def test_one_machines_events_are_found_by_its_address(journal: Journal) -> None:
    """`latest(mac=…)` leaves the others out."""
    for number in range(10):
        journal.emit(discovered(number, MAC if number % 2 else OTHER_MAC))
    assert journal.flush()

    times = [entry.event.at for entry in journal.latest(3, mac=MAC)]

    assert times == [9.0, 7.0, 5.0]


def test_what_a_newer_release_wrote_is_shown_as_it_is(journal: Journal, path: Path) -> None:
    """Unknown kinds, missing fields and broken JSON stay rows; unknown fields are left out."""
    journal.emit(discovered(1))
    assert journal.flush()
    rows = [
        ("TeaServed", '{"sugar": 2}'),
        ("OfferSent", '{"port": 67}'),
        ("OfferSent", "{broken"),
        ("OfferSent", "[]"),
        ("OfferSent", '{"file": "a", "colour": "red"}'),
    ]
    with sqlite3.connect(path) as connection:
        connection.executemany(
            "INSERT INTO events (at, kind, mac, ip, details) VALUES (5, ?, '', '', ?)", rows
        )
    connection.close()

    events = [entry.event for entry in journal.events_since(1)]

    unknown = [UnknownEvent(at=5.0, name=name, text=text) for name, text in rows[:4]]
    assert [*unknown, OfferSent(at=5.0, file="a")] == events


def test_pruning_forgets_the_old_and_the_many(journal: Journal) -> None:
    """Age and number both limit the journal, and ids are not used again."""
    for number in range(1, 101):
        journal.emit(discovered(number))
    assert journal.flush()

    assert journal.prune(before=21.0, until=1000) == 20
    assert journal.prune(keep=10, until=1000) == 70
    assert journal.prune(keep=10, until=1000) == 0
    assert [entry.id for entry in journal.events_since(0)] == list(range(91, 101))

    assert journal.prune(keep=0, until=1000) == 10
    journal.emit(discovered(101))
    assert journal.flush()
    assert journal.last_id() == 101


WRITER = """
import sys
from pathlib import Path
from netboot.boot.told.events import RequestIgnored
from netboot.store.boots.journal import Journal
journal = Journal(Path(sys.argv[1]))
for number in range(int(sys.argv[3])):
    journal.emit(RequestIgnored(at=float(number), mac=sys.argv[2], reason="test"))
journal.close(30)
sys.exit(1 if journal.dropped else 0)
"""


def start_writer(path: Path, mac: str, count: int) -> subprocess.Popen[bytes]:
    """Another process that appends so many events."""
    return subprocess.Popen([sys.executable, "-c", WRITER, str(path), mac, str(count)])


def test_several_processes_append_at_once(path: Path, journal: Journal) -> None:
    """Four processes make the file and fill it together; nothing is lost, order is kept."""
    macs = [f"52:54:00:00:01:0{number}" for number in range(4)]

    writers = [start_writer(path, mac, 500) for mac in macs]

    assert [writer.wait(60) for writer in writers] == [0, 0, 0, 0]
    assert journal.last_id() == 2000
    for mac in macs:
        times = [entry.event.at for entry in journal.latest(1000, mac=mac)]
        assert times == [float(number) for number in range(499, -1, -1)]


def test_news_of_another_process_wakes_who_waits(path: Path, journal: Journal) -> None:
    """`wait_for_change` returns as soon as an entry above the given id is there."""
    writer = start_writer(path, MAC, 1)

    woken = journal.wait_for_change(0, timeout=30)

    assert woken
    assert writer.wait(30) == 0
    assert journal.wait_for_change(0, timeout=0)
    assert not journal.wait_for_change(1, timeout=0.05)


def test_forgetting_old_events_wakes_nobody(path: Path, journal: Journal) -> None:
    """Only new entries are news."""
    journal.emit(discovered(1))
    assert journal.flush()
    other = Journal(path)
    pruning = threading.Timer(0.05, other.prune, kwargs={"keep": 0, "until": 1000})
    pruning.start()

    woken = journal.wait_for_change(1, timeout=0.4)

    pruning.join()
    assert not woken
    assert journal.latest() == []


def test_closing_ends_the_wait(journal: Journal) -> None:
    """A page that waits does not keep the process from ending."""
    answers: list[bool] = []
    waiting = threading.Thread(target=lambda: answers.append(journal.wait_for_change(0, 60)))
    waiting.start()

    journal.close()

    waiting.join(10)
    assert answers == [False]


def test_a_killed_process_leaves_what_was_committed(path: Path, journal: Journal) -> None:
    """After SIGKILL in the middle of writing the file is whole and can be read and written."""
    writer = start_writer(path, MAC, 1_000_000)
    try:
        assert journal.wait_for_change(0, timeout=30)
    finally:
        writer.send_signal(signal.SIGKILL)
        writer.wait(30)

    entries = journal.events_since(0, limit=1_000_000)
    times = [entry.event.at for entry in entries]
    assert times == [float(number) for number in range(len(times))]
    journal.emit(discovered(5))
    assert journal.flush()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_a_forked_process_writes_for_itself(path: Path, journal: Journal) -> None:
    """Servers fork their workers; parent and child both append."""
    journal.emit(discovered(1))
    assert journal.flush()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            journal.emit(discovered(2))
            status = 0 if journal.flush() and journal.last_id() >= 2 else 2
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    journal.emit(discovered(3))
    assert journal.flush()

    assert status == 0
    assert [entry.event.at for entry in journal.events_since(0)] == [1.0, 2.0, 3.0]


def test_emit_never_waits_for_a_locked_file(path: Path, journal: Journal) -> None:
    """While another process holds the file, events gather; then all of them are written."""
    journal.emit(discovered(0))
    assert journal.flush()
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")

    began = time.monotonic()
    for number in range(1, 501):
        journal.emit(discovered(number))
    took = time.monotonic() - began
    holder.execute("ROLLBACK")

    assert took < 4  # SQLite would have waited five seconds for the lock
    assert journal.flush(30)
    holder.close()
    assert journal.last_id() == 501
    assert journal.dropped == 0


def test_a_full_queue_drops_and_counts(path: Path) -> None:
    """A disk that refuses costs events, never a boot; the newest that fit are kept."""
    path.mkdir()
    journal = Journal(path, capacity=10)

    for number in range(2000):
        journal.emit(discovered(number))
    journal.close(0.1)

    assert journal.dropped == 2000


def test_the_trouble_is_told(path: Path) -> None:
    """The page can say why nothing is written, and that it is well again."""
    path.write_bytes(b"this is no database, it is a letter" * 100)
    journal = Journal(path)
    journal.emit(discovered(1))

    assert not journal.flush(0.3)
    assert "not a database" in journal.trouble
    with pytest.raises(ContentFault, match="not a database"):
        journal.latest()

    path.unlink()
    assert journal.flush(10)
    assert journal.trouble == ""
    assert [entry.event.at for entry in journal.latest()] == [1.0]
    journal.close()


def test_a_file_that_was_moved_away_is_begun_anew(path: Path, journal: Journal) -> None:
    """An administrator may put the journal aside while the daemons run."""
    journal.emit(discovered(1))
    assert journal.flush()
    for name in ("journal.db", "journal.db-wal", "journal.db-shm"):
        (path.parent / name).rename(path.parent / f"old-{name}")

    journal.emit(discovered(2))
    assert journal.flush()

    assert [entry.event.at for entry in Journal(path).latest()] == [2.0]
    assert [entry.event.at for entry in Journal(path.parent / "old-journal.db").latest()] == [1.0]


def test_what_comes_after_the_end_is_counted(journal: Journal) -> None:
    """An event after `close` is lost, and says so."""
    journal.emit(discovered(1))
    journal.close()
    journal.emit(discovered(2))

    assert journal.dropped == 1
    assert [entry.event.at for entry in journal.latest()] == [1.0]


def test_the_file_is_the_owners_alone(path: Path, journal: Journal) -> None:
    """Who booted what is nobody else's business."""
    journal.emit(discovered(1))
    assert journal.flush()

    assert path.stat().st_mode & 0o777 == 0o600
