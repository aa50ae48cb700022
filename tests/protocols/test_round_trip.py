"""Waits that are learnt from answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netboot.protocols.round_trip import RoundTrip, Timing

TIMING = Timing()


def test_before_the_first_answer_a_second() -> None:
    """Nothing is known yet."""
    assert RoundTrip(TIMING, 4.0).resend_after() == 1.0


def test_quick_answers_make_short_waits_but_never_shorter_than_the_floor() -> None:
    """On a LAN: 40 ms before all goes again, 10 ms before one block does."""
    trip = RoundTrip(TIMING, 4.0)
    for _ in range(20):
        trip.measure(0.0001)

    assert trip.resend_after() == 0.040
    assert trip.probe_after() == 0.010
    assert trip.moment() == 0.002
    assert trip.quickest == 0.0001


def test_slow_answers_are_waited_for() -> None:
    """A wait is longer than the answers take."""
    trip = RoundTrip(TIMING, 4.0)
    for _ in range(20):
        trip.measure(0.3)

    assert 0.3 < trip.resend_after() < 0.5
    assert 0.3 < trip.probe_after() <= trip.resend_after()


def test_changing_answers_are_waited_for_longer() -> None:
    """What varies more gets more room (RFC 6298)."""
    steady, changing = RoundTrip(TIMING, 4.0), RoundTrip(TIMING, 4.0)
    for number in range(40):
        steady.measure(0.1)
        changing.measure(0.05 if number % 2 else 0.15)

    assert changing.resend_after() > steady.resend_after() + 0.05


def test_silence_doubles_the_wait_up_to_the_ceiling() -> None:
    """And one clean answer brings it back."""
    trip = RoundTrip(TIMING, 4.0)
    trip.measure(0.001)
    waits = []
    for _ in range(10):
        waits.append(trip.resend_after())
        trip.timed_out()

    assert waits[:4] == pytest.approx([0.04, 0.08, 0.16, 0.32])
    assert waits[-1] == 4.0
    trip.measure(0.001)
    assert trip.resend_after() == 0.040


@pytest.mark.parametrize(("after", "wait"), [(0.0015, 0.04), (0.030, 0.08)])
def test_an_answer_to_what_went_out_twice(after: float, wait: float) -> None:
    """About a round trip later it answers the second copy; later still, nobody knows."""
    trip = RoundTrip(TIMING, 4.0)
    for _ in range(20):
        trip.measure(0.001)
    trip.timed_out()
    trip.answered_again(after)

    assert trip.resend_after() == pytest.approx(wait)


def test_without_a_known_round_trip_nothing_explains_an_answer() -> None:
    """The strain stays."""
    trip = RoundTrip(TIMING, 4.0)
    trip.timed_out()
    trip.answered_again(0.0001)

    assert trip.resend_after() == 2.0


@given(st.lists(st.one_of(st.floats(0, 100), st.none()), max_size=50), st.floats(0.1, 30))
def test_waits_keep_their_bounds(trips: list[float | None], ceiling: float) -> None:
    """Whatever comes: never under the floor, never over the ceiling, a probe never last."""
    trip = RoundTrip(TIMING, ceiling)
    for value in trips:
        if value is None:
            trip.timed_out()
        else:
            trip.measure(value)

        assert min(TIMING.floor, ceiling) <= trip.resend_after() <= ceiling
        assert 0 < trip.probe_after() <= trip.resend_after()


def test_one_late_answer_changes_little() -> None:
    """A client's own timer of a second, once among many quick answers."""
    trip = RoundTrip(TIMING, 4.0)
    for _ in range(20):
        trip.measure(0.001)
    trip.measure(1.0)

    assert trip.resend_after() < 0.06


def test_late_answers_that_last_are_believed() -> None:
    """Within a few dozen answers the wait is longer than they take; until then strain holds."""
    trip = RoundTrip(TIMING, 4.0)
    for _ in range(20):
        trip.measure(0.001)
    trip.timed_out()
    for _ in range(60):
        trip.measure(0.4)

    assert 0.4 < trip.resend_after() < 0.8
    assert trip.strain == 0
