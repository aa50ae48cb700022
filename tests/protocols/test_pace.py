"""Bursts of a window."""

from hypothesis import given
from hypothesis import strategies as st

from netboot.protocols.pace import Pace


def halved(window: int = 16) -> Pace:
    pace = Pace(window)
    pace.lost(window, window)
    pace.lost(window, window)
    return pace


def test_one_bad_flight_changes_nothing() -> None:
    """Even if all of it was lost; nor do many that lose little, nor bad ones among good ones."""
    pace = Pace(16)
    for _ in range(10):
        pace.lost(16, 16)
        pace.arrived()
        pace.lost(4, 16)

    assert pace.burst == 16


def test_two_in_a_row_halve_the_burst_and_whole_flights_double_it() -> None:
    """From the window down to single blocks, and back."""
    pace = halved()
    assert pace.burst == 8
    for _ in range(20):
        pace.lost(10, 16)
    assert pace.burst == 1
    for _ in range(16):
        pace.arrived()
    assert pace.burst == 16


def test_a_burst_that_proves_too_large_is_tried_more_seldom() -> None:
    """On a path that holds eight packets, most windows leave in bursts of eight."""
    pace = halved()
    flights = {8: 0, 16: 0}
    for _ in range(1000):
        flights[pace.burst] += 1
        if pace.burst == 16:
            pace.lost(8, 16)
        else:
            pace.arrived()

    assert flights[16] < 50


def test_a_pause_is_a_bursts_part_of_the_windows_time() -> None:
    """But a millisecond at least: our timers know no less."""
    pace = halved()

    assert pace.pause(0.020) == 0.010
    assert pace.pause(0.0001) == 0.001


@given(st.integers(1, 64), st.lists(st.tuples(st.integers(0, 64), st.integers(1, 64))))
def test_bursts_keep_their_bounds(window: int, flights: list[tuple[int, int]]) -> None:
    """Whatever is lost: at least a block, at most the window."""
    pace = Pace(window)
    for missing, flight in flights:
        if missing:
            pace.lost(min(missing, flight), flight)
        else:
            pace.arrived()
        assert 1 <= pace.burst <= window
