"""Boots by the hour."""

from netboot.boot.attempts import fold
from tests.web import seeding
from web import ladder
from web.hours import HOUR, by_hour

NOW = 500 * HOUR + 1234.0


def test_boots_are_counted_in_the_hour_in_which_they_began():
    """Twenty-four hours, the running one last; older boots are left out."""
    events = (
        *seeding.boot_events("52:54:00:00:00:01", at=NOW - 30 * HOUR),
        *seeding.boot_events("52:54:00:00:00:02", at=NOW - 2 * HOUR),
        *seeding.boot_events("52:54:00:00:00:03", at=NOW - 100, online=False),
        *seeding.boot_events("52:54:00:00:00:04", at=NOW - 50),
    )
    hours = by_hour(ladder.as_seen(fold(events), NOW), NOW)

    assert 24 == len(hours.starts)
    assert 500 * HOUR == hours.starts[-1]
    assert (*[0] * 21, 1, 0, 1) == hours.online
    assert (*[0] * 23, 1) == hours.other
    assert (3, "2 came online, 1 did not or not yet") == (
        hours.total,
        hours.summary.split(": ")[1].rstrip("."),
    )


def test_the_picture_stays_the_same_within_the_hour():
    """Otherwise it would be sent again and again."""
    boots = ladder.as_seen(fold(seeding.boot_events(at=NOW - 60)), NOW)

    assert by_hour(boots, NOW) == by_hour(boots, NOW + 100)
