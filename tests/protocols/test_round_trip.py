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


def test_an_answer_to_the_second_copy_ends_the_strain() -> None:
    """About a round trip after it was sent: the path loses packets, and is as quick as before."""
    trip = RoundTrip(TIMING, 4.0)
    for _ in range(20):
        trip.measure(0.001)
    waits = []
    for _ in range(4):
        trip.timed_out()
        trip.answered_again(0.0015)
        waits.append(trip.resend_after())

    assert waits == pytest.approx([0.02, 0.01, 0.01, 0.01])


def test_late_answers_to_what_went_out_twice_make_longer_waits_when_they_last() -> None:
    """A few were lost and said again; if it goes on so, answers take longer (Karn)."""
    trip = RoundTrip(TIMING, 4.0)
    for _ in range(20):
        trip.measure(0.001)
    waits = []
    for _ in range(5):
        trip.timed_out()
        trip.answered_again(0.030)
        waits.append(trip.resend_after())

    assert waits == pytest.approx([0.04, 0.04, 0.04, 0.08, 0.16])


def test_hasty_repetitions_make_the_waits_as_long_as_before() -> None:
    """An answer sooner than a round trip after the second copy is the first one's."""
    trip = RoundTrip(TIMING, 4.0)
    for _ in range(20):
        trip.measure(0.005)
    for after in (0.005, 0.005, 0.001, 0.001):
        trip.answered_again(after)

    assert trip.resend_after() == pytest.approx(0.04)


def test_without_a_known_round_trip_any_answer_is_a_guess() -> None:
    """Better than a second for the rest of a transfer whose first packets were lost.

    But not one that the client's own timer can have sent.
    """
    trip = RoundTrip(TIMING, 4.0)
    trip.answered_again(0.9)
    assert trip.resend_after() == 1.0
    trip.timed_out()
    trip.answered_again(0.0001)
    trip.timed_out()
    trip.answered_again(0.0001)

    assert trip.resend_after() < 0.05


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


@pytest.mark.parametrize("late", [1, 2])
def test_few_late_answers_change_nothing(late: int) -> None:
    """A client's own timer of a second, among quick answers, however often."""
    trip = RoundTrip(TIMING, 4.0)
    for _ in range(40):
        for _ in range(late):
            trip.measure(1.0)
        trip.measure(0.001)

    assert trip.resend_after() < 0.06


def test_a_late_first_answer_is_soon_forgotten() -> None:
    """The ACK of our options was lost, and said again after a second: ten quick answers later..."""
    trip = RoundTrip(TIMING, 4.0)
    trip.measure(1.0)
    for _ in range(10):
        trip.measure(0.001)

    assert trip.resend_after() < 0.3


def test_late_answers_that_last_are_believed() -> None:
    """The third in a row is how long answers take now."""
    trip = RoundTrip(TIMING, 4.0)
    for _ in range(20):
        trip.measure(0.001)
    trip.timed_out()
    for _ in range(30):
        trip.measure(0.4)

    assert 0.4 < trip.resend_after() < 0.8
    assert trip.strain == 0


def test_quick_answers_to_second_copies_end_a_false_belief() -> None:
    """Three in a row: what was measured first was the client's timer, not the path."""
    trip = RoundTrip(TIMING, 4.0)
    trip.measure(1.0)
    for _ in range(3):
        trip.answered_again(0.001)

    assert trip.resend_after() < 0.05


def test_calm_is_the_wait_without_strain() -> None:
    """What was lost since does not count."""
    trip = RoundTrip(TIMING, 4.0)
    trip.measure(0.001)
    trip.timed_out()
    trip.timed_out()

    assert trip.calm() == 0.040
