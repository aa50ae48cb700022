"""The data of the charts: numbers for the script that draws, words for screen readers."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from netboot.boot.told.timeline import Fetch
from netboot.operations.boots.boots import Hours

MEGA = 1e6


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart: `kind` selects how the script draws it, `points` are its columns."""

    kind: str
    points: dict[str, Any]
    summary: str

    @property
    def empty(self) -> bool:
        return not self.summary


def hours_chart(hours: Hours) -> Chart:
    """Boots per hour that came online, and that did not."""
    online, other = sum(hours.online), sum(hours.other)
    summary = f"Boots of the last {len(hours.starts)} hours: {online} came online, {other} did not."
    points = {"starts": hours.starts, "online": hours.online, "other": hours.other}
    return Chart("hours", points, summary if online + other else "")


def rates_chart(rates: Sequence[tuple[float, float]]) -> Chart:
    """The image transfer rate of each boot, one dot per boot."""
    if not rates:
        return Chart("rates", {}, "")
    speeds = sorted(rate / MEGA for _, rate in rates)
    summary = (
        f"Image transfer rates of the latest {len(rates)} boots: from {speeds[0]:.1f} to "
        f"{speeds[-1]:.1f} MB/s, median {speeds[len(speeds) // 2]:.1f} MB/s."
    )
    began = [round(at, 3) for at, _ in rates]
    return Chart("rates", {"x": began, "y": [round(r / MEGA, 3) for _, r in rates]}, summary)


def fetches_chart(fetches: Sequence[Fetch], began: float) -> Chart:
    """Transfer rates to one machine during its boot: MB/s over seconds, as steps."""
    timed = [fetch for fetch in fetches if fetch.rate]
    if not timed:
        return Chart("speed", {}, "")
    borders = sorted({round(t, 3) for f in timed for t in (f.began, f.began + f.seconds)})
    x, y = [0.0], [0.0]
    for left, right in itertools.pairwise(borders):
        middle = (left + right) / 2
        speed = sum(f.rate for f in timed if f.began <= middle < f.began + f.seconds)
        x.append(round(left - began, 3))
        y.append(round(speed / MEGA, 3))
    x.append(round(borders[-1] - began, 3))
    y.append(0.0)
    fastest = max(timed, key=lambda fetch: fetch.rate)
    summary = (
        f"{len(timed)} files measured; the fastest was {fastest.name} with "
        f"{fastest.rate / MEGA:.1f} MB/s."
    )
    return Chart("speed", {"x": x, "y": y}, summary)
