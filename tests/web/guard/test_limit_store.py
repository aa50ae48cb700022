"""Tries that the console's processes count together."""

import pytest
from limits import parse
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter

from web.guard.limit_store import address_of


@pytest.fixture
def stores(tmp_path):
    """One file as two processes open it; its name needs quoting."""
    return [storage_from_string(address_of(tmp_path / "tries 100%.db")) for _ in range(2)]


def test_a_limit_holds_over_both_processes(stores, tmp_path):
    """As Flask-Limiter asks."""
    first, second = map(FixedWindowRateLimiter, stores)
    limit = parse("3 per minute")

    assert [limiter.hit(limit, "x") for limiter in (first, second, first, second)] == [
        *(True, True, True, False)
    ]
    assert (tmp_path / "tries 100%.db").is_file()


def test_counts_can_be_read_and_forgotten(stores):
    """By either process, one or all."""
    for key in ("a", "a", "b", "c"):
        stores[0].incr(key, 60)
    assert [stores[1].get("a"), stores[1].get("b"), stores[1].get("d")] == [2, 1, 0]
    assert stores[1].get_expiry("d") < stores[1].get_expiry("a")
    stores[1].clear("a")

    assert (stores[0].get("a"), stores[0].check()) == (0, True)
    assert (stores[1].reset(), stores[0].get("b")) == (2, 0)
