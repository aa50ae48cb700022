"""What an attempt says of itself."""

import pytest

from netboot.boot.told.attempt import Attempt, Outcome
from netboot.boot.told.ladder import PATIENCE, Rung

MAC, IP = "52:54:00:00:00:01", "10.0.0.9"


@pytest.mark.parametrize(("mac", "ip", "expected"), [(MAC, IP, MAC), ("", IP, IP), (MAC, "", MAC)])
def test_a_machine_goes_by_its_best_name(mac: str, ip: str, expected: str) -> None:
    """The card's address, or where it is not known the network's."""
    assert Attempt(number=1, began=0, last=0, mac=mac, ip=ip).machine == expected


def test_a_rate_needs_a_time() -> None:
    """An image whose transfer nobody timed has none."""
    assert Attempt(number=1, began=0, last=0, image_size=100).rate == 0.0
    assert Attempt(number=1, began=0, last=0, image_size=100, image_seconds=2).rate == 50.0


def test_a_version_that_nobody_named_has_no_label() -> None:
    """An ignored machine was given nothing."""
    assert Attempt(number=1, began=0, last=0).label == ""


@pytest.mark.parametrize("rung", list(PATIENCE))
def test_each_rung_has_its_own_patience(rung: Rung) -> None:
    """Up to it the boot is under way, after it stalled."""
    attempt = Attempt(number=1, began=0, last=100.0, rung=rung)
    end = 100.0 + PATIENCE[rung]

    assert [attempt.outcome(end), attempt.outcome(end + 0.1)] == [
        Outcome.UNDER_WAY,
        Outcome.STALLED,
    ]


def test_what_runs_never_stalls() -> None:
    """A machine that is up has no more to tell."""
    attempt = Attempt(number=1, began=0, last=1, rung=Rung.PE_UP, reached=((Rung.PE_UP, 1.0),))

    assert attempt.outcome(now=1e9) is Outcome.ONLINE


def test_a_boot_has_an_address_that_stays_as_it_climbs() -> None:
    """The machine, and when it began in milliseconds."""
    made = Attempt(number=1, began=1000.5, last=1000.5, mac="52:54:00:00:00:09")

    assert made.key == "525400000009-1000500"
    assert Attempt(number=2, began=1.0, last=2.0, ip="10.0.0.9").key == "10_0_0_9-1000"


def test_a_boot_under_way_counts_as_stalled_after_a_stated_moment() -> None:
    """Its last sign, and the patience of its rung."""
    made = Attempt(number=1, began=10.0, last=20.0, mac=MAC, rung=Rung.OFFERED)

    assert made.quiet_at == 20.0 + PATIENCE[Rung.OFFERED]
    assert made.outcome(made.quiet_at) is Outcome.UNDER_WAY
    assert made.outcome(made.quiet_at + 1) is Outcome.STALLED
