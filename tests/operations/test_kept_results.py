import threading

import pytest

from netboot.errors import NotFound
from netboot.operations import kept_results
from netboot.operations.kept_results import KeptResults


@pytest.fixture
def kept():
    return KeptResults()


@pytest.fixture
def slow(monkeypatch):
    """All that is made counts as slow, and may be made anew at once."""
    monkeypatch.setattr(kept_results, "AT_ONCE_SECONDS", -1.0)
    monkeypatch.setattr(kept_results, "REST", 0)


def beside():
    """The threads that make something for it now."""
    return [one for one in threading.enumerate() if one.name == kept_results.THREAD]


def refuse():
    raise AssertionError("it was made although it was kept")


def test_what_nothing_changed_for_is_not_made_again(kept):
    """Neither for who acts nor for who looks."""
    assert "a" == kept.now("key", 1, lambda: "a")

    assert ("a", "a") == (kept.now("key", 1, refuse), kept.lately("key", 1, refuse))


def test_who_acts_gets_it_as_it_is_now(kept, slow):
    """Another stamp makes it anew while one waits."""
    kept.now("key", 1, lambda: "old")

    assert "new" == kept.now("key", 2, lambda: "new")


def test_what_is_made_quickly_is_never_old(kept, monkeypatch):
    """Also for who only looks."""
    monkeypatch.setattr(kept_results, "AT_ONCE_SECONDS", 60.0)
    kept.now("key", 1, lambda: "old")

    assert "new" == kept.lately("key", 2, lambda: "new")


def test_who_looks_gets_the_one_before_while_a_new_one_is_made_beside(kept, slow):
    """Nobody waits for it, and it is made once."""
    begun, may_end, made = threading.Event(), threading.Event(), threading.Event()

    def make():
        assert not begun.is_set(), "made twice at once"
        begun.set()
        assert may_end.wait(10)
        made.set()
        return "new"

    kept.now("key", 1, lambda: "old")
    assert "old" == kept.lately("key", 2, make)
    assert begun.wait(10)
    assert "old" == kept.lately("key", 2, make)
    may_end.set()
    assert made.wait(10)
    for thread in beside():
        thread.join(10)

    assert "new" == kept.lately("key", 2, refuse)


def test_another_key_is_waited_for(kept, slow):
    """What somebody decided counts at once."""
    kept.now("key", 1, lambda: "old")

    assert "new" == kept.lately("other", 1, lambda: "new")


def test_what_cannot_be_made_beside_is_told_to_who_acts(kept, slow):
    """A deleted image is no reason for a page to fail that has something to show."""

    def fail():
        raise NotFound("gone")

    kept.now("key", 1, lambda: "old")
    assert "old" == kept.lately("key", 2, fail)

    with pytest.raises(NotFound):
        kept.now("key", 2, fail)


def test_what_takes_long_is_made_beside_and_there_is_nothing_until_it_is(kept, monkeypatch):
    """Neither does anybody wait, nor is one for another stamp given, nor is it made twice."""
    monkeypatch.setattr(kept_results, "AT_ONCE_SECONDS", 0.01)
    may_end = threading.Event()

    def make():
        assert may_end.wait(10)
        return "new"

    kept.now("key", 1, lambda: "old")
    assert kept.soon("key", 2, make) is None
    assert kept.soon("key", 2, refuse) is None
    may_end.set()
    for thread in beside():
        thread.join(10)

    assert "new" == kept.soon("key", 2, refuse)


def test_what_takes_a_moment_is_there_at_once(kept):
    """And what is wrong with it is told to who asks."""

    def fail():
        raise NotFound("gone")

    assert "a" == kept.soon("key", 1, lambda: "a")
    with pytest.raises(NotFound):
        kept.soon("key", 2, fail)


def test_the_oldest_are_let_go():
    """Memory has an end."""
    kept = KeptResults(limit=2)
    for number in range(3):
        kept.now(number, 1, lambda number=number: number)

    assert 2 == kept.now(2, 1, refuse)
    with pytest.raises(AssertionError):
        kept.now(0, 1, refuse)
