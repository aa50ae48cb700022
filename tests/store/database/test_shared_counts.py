"""Counts within windows of time, shared by processes."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

from netboot.store.database import shared_counts
from netboot.store.database.shared_counts import FAULTS, SharedCounts


@pytest.fixture
def clock(monkeypatch):
    """Time as the test sets it."""
    now = [1_000.0]
    monkeypatch.setattr(shared_counts.time, "time", lambda: now[0])
    return now


@pytest.fixture
def both(tmp_path):
    """One file as two processes open it."""
    return [SharedCounts(tmp_path / "counts.db") for _ in range(2)]


def test_two_processes_count_together(both):
    """What one counted, the other knows."""
    first, second = both
    assert [first.add("a", 1, 60), second.add("a", 2, 60), first.add("b", 1, 60)] == [1, 3, 1]

    assert [first.find("a")[0], second.find("b")[0], second.find("c")[0]] == [3, 1, 0]


def test_a_window_ends(both, clock):
    """It begins with the first count, and counting begins again after it."""
    first, second = both
    first.add("a", 1, 60)
    clock[0] += 59
    assert (second.add("a", 1, 60), second.find("a")) == (2, (2, 1_060.0))
    clock[0] += 1

    assert first.find("a") == (0, 1_060.0)
    assert second.add("a", 1, 60) == 1


def test_windows_that_ended_are_deleted(both, clock):
    """The file stays small however many names are counted."""
    for number in range(20):
        both[0].add(f"name {number}", 1, 60)
    clock[0] += 61
    both[0].add("another", 1, 60)

    assert both[1].delete_all() == 1


def test_one_window_or_all_can_be_ended(both):
    """By either process."""
    first, second = both
    for key in ("a", "b", "c"):
        first.add(key, 1, 60)
    second.delete("a")

    assert [first.find("a")[0], first.find("b")[0]] == [0, 1]
    assert (second.delete_all(), first.find("b")[0]) == (2, 0)


def test_no_count_is_lost_when_many_come_at_once(both):
    """Each is one statement."""
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: both[number % 2].add("a", 1, 60), range(80)))

    assert sorted(found) == list(range(1, 81))


def test_a_damaged_file_raises_what_was_said(tmp_path):
    """Each use does, and the caller decides what that means; opening it does not."""
    (tmp_path / "counts.db").write_bytes(b"no database at all" * 100)
    counts = SharedCounts(tmp_path / "counts.db")

    for use in (
        lambda: counts.add("a", 1, 60),
        lambda: counts.find("a"),
        lambda: counts.list_counts("a"),
        lambda: counts.delete("a"),
        counts.delete_all,
    ):
        with pytest.raises(FAULTS):
            use()
    assert issubclass(FAULTS, sqlite3.Error)
