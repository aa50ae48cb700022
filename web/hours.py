"""Boots by the hour, for people who would rather look than read."""

from collections.abc import Sequence
from dataclasses import dataclass

from netboot.boot.attempts import Outcome
from web.ladder import Boot

HOUR = 3600
SHOWN = 24


@dataclass(frozen=True, slots=True)
class Hours:
    """A day of boots: `starts` are epoch seconds of the hours, oldest first."""

    starts: tuple[int, ...]
    online: tuple[int, ...]
    other: tuple[int, ...]

    @property
    def total(self) -> int:
        """All boots of the day."""
        return sum(self.online) + sum(self.other)

    @property
    def summary(self) -> str:
        """The picture in words."""
        return (
            f"Boots of the last {SHOWN} hours: {sum(self.online)} came online, "
            f"{sum(self.other)} did not or not yet."
        )

    @property
    def points(self) -> dict[str, tuple[int, ...]]:
        """For the script that draws."""
        return {"starts": self.starts, "online": self.online, "other": self.other}


def by_hour(boots: Sequence[Boot], now: float) -> Hours:
    """Count the boots by the hour in which they began."""
    this_hour = int(now // HOUR) * HOUR
    starts = tuple(this_hour - HOUR * back for back in reversed(range(SHOWN)))
    online, other = dict.fromkeys(starts, 0), dict.fromkeys(starts, 0)
    for boot in boots:
        start = int(boot.attempt.began // HOUR) * HOUR
        if start in online:
            counts = online if boot.outcome is Outcome.ONLINE else other
            counts[start] += 1
    return Hours(starts, tuple(online.values()), tuple(other.values()))
