"""How a boot looks on pages."""

import pytest

from netboot.boot.told.attempts import Outcome, fold
from netboot.boot.told.events import Discovered, RequestIgnored
from tests.web.support import seeding
from web.show import ladder

MAC = "52:54:00:00:00:09"


def states(attempt, now):
    return [rung.state for rung in ladder.seen(attempt, now).rungs]


@pytest.mark.parametrize(
    ("count", "later", "outcome", "expected"),
    [
        (1, 1, Outcome.UNDER_WAY, ["done", "next", "open", "open", "open"]),
        (2, 1, Outcome.UNDER_WAY, ["done", "done", "next", "open", "open"]),
        (4, 1, Outcome.UNDER_WAY, ["done", "done", "done", "next", "open"]),
        (5, 1, Outcome.UNDER_WAY, ["done", "done", "done", "next", "open"]),
        (7, 1, Outcome.UNDER_WAY, ["done", "done", "done", "done", "next"]),
        (8, 1, Outcome.ONLINE, ["done"] * 5),
        (2, 9999, Outcome.STALLED, ["done", "done", "stopped", "open", "open"]),
        (7, 9999, Outcome.STALLED, ["done", "done", "done", "done", "stopped"]),
    ],
)
def test_the_ladder_shows_what_was_climbed_and_what_is_awaited(count, later, outcome, expected):
    """One rung after the other, and where it stalled."""
    events = seeding.boot_events(MAC, at=1000.0)[:count]
    attempt = fold(events)[0]
    boot = ladder.seen(attempt, events[-1].at + later)

    assert outcome is boot.outcome
    assert [rung.state for rung in boot.rungs] == expected


def test_a_machine_without_a_driver_stops_at_the_last_rung():
    """It has the image and runs it, but nobody can reach it."""
    attempt = fold(seeding.boot_events(MAC, at=1000.0, online=False))[0]
    boot = ladder.seen(attempt, 2000.0)

    assert Outcome.OFFLINE is boot.outcome
    assert [rung.state for rung in boot.rungs] == ["done"] * 4 + ["stopped"]
    assert "PCI\\VEN_8086&DEV_10D3" in boot.why


def test_an_ignored_machine_says_why():
    """The reason is the refusal's own."""
    events = (
        Discovered(at=1.0, mac=MAC, architecture="arm64", firmware="uefi", stage="firmware"),
        RequestIgnored(at=1.1, mac=MAC, reason="no image for arm64"),
    )
    boot = ladder.seen(fold(events)[0], 2.0)

    assert (boot.outcome, boot.why) == (Outcome.IGNORED, "no image for arm64")
