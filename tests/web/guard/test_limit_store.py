"""Counts of tries that processes share."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from limits import parse
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter

from web.guard import limit_store
from web.guard.limit_store import address_of


@pytest.fixture
def clock(monkeypatch):
    """Time as the test sets it."""
    now = [1_000.0]
    monkeypatch.setattr(limit_store.time, "time", lambda: now[0])
    return now


@pytest.fixture
def stores(tmp_path):
    """One file as two processes open it; its name needs quoting."""
    return [storage_from_string(address_of(tmp_path / "tries 100%.db")) for _ in range(2)]


def test_two_processes_count_together(stores, tmp_path):
    """What one counted, the other knows."""
    assert [stores[0].incr("a", 60), stores[1].incr("a", 60, 2), stores[0].incr("b", 60)] == [
        1,
        3,
        1,
    ]
    assert [stores[0].get("a"), stores[1].get("b"), stores[1].get("c")] == [3, 1, 0]
    assert (tmp_path / "tries 100%.db").is_file()


def test_a_window_ends(stores, clock):
    """It begins with the first try, and counting begins again after it."""
    stores[0].incr("a", 60)
    clock[0] += 59
    assert (stores[1].incr("a", 60), stores[1].get_expiry("a")) == (2, 1_060.0)
    clock[0] += 1

    assert (stores[0].get("a"), stores[0].get_expiry("a")) == (0, 1_060.0)
    assert stores[1].incr("a", 60) == 1


def test_windows_that_ended_are_forgotten(stores, clock):
    """The file stays small however many names are tried."""
    for number in range(20):
        stores[0].incr(f"name {number}", 60)
    clock[0] += 61
    stores[0].incr("another", 60)

    assert stores[0].reset() == 1


def test_one_count_or_all_can_be_forgotten(stores):
    """By either process."""
    for key in ("a", "b", "c"):
        stores[0].incr(key, 60)
    stores[1].clear("a")

    assert [stores[0].get("a"), stores[0].get("b")] == [0, 1]
    assert (stores[1].reset(), stores[0].get("b"), stores[0].check()) == (2, 0, True)


def test_no_try_is_lost_when_many_come_at_once(stores):
    """Each is one statement."""
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: stores[number % 2].incr("a", 60), range(80)))

    assert sorted(found) == list(range(1, 81))


def test_a_limit_holds_over_both(stores):
    """As Flask-Limiter asks."""
    first, second = map(FixedWindowRateLimiter, stores)
    limit = parse("3 per minute")

    assert [limiter.hit(limit, "x") for limiter in (first, second, first, second)] == [
        *(True, True, True, False)
    ]
