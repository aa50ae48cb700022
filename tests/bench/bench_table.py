"""What a benchmark says at its end: a table for people, a file for later, a line for programs."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
Goal = tuple[str, float]


@dataclass
class Series:
    """The values of one figure over the rounds."""

    values: list[float] = field(default_factory=list)

    @property
    def median(self) -> float | None:
        """The middle value, None without any."""
        return statistics.median(self.values) if self.values else None

    def text(self, digits: int = 1) -> str:
        """Median and range, as tables show it."""
        if not self.values:
            return "-"
        low, high = min(self.values), max(self.values)
        return f"{self.median:.{digits}f} [{low:.{digits}f}..{high:.{digits}f}]"


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table with aligned columns."""
    widths = [
        max(len(column), *(len(row[at]) for row in rows)) for at, column in enumerate(columns)
    ]
    print(f"\n{title}")
    for row in (columns, ["-" * width for width in widths], *rows):
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))


def ratio(ours: float | None, theirs: float | None) -> float | None:
    """Ours by theirs, None where one could not be measured."""
    return None if ours is None or not theirs else ours / theirs


def conclude(
    name: str,
    figures: Mapping[str, float | None],
    goals: Mapping[str, Goal],
    *,
    details: Any,
    quick: bool,
) -> None:
    """Print which goals are met, write the results, and print the last line."""
    rounded = {key: None if v is None else round(v, 4) for key, v in figures.items()}
    short = [key for key, goal in goals.items() if not _met(figures.get(key), goal)]
    rows = [
        [
            key,
            "-" if rounded.get(key) is None else f"{rounded[key]:g}",
            f"{sign} {value:g}",
            "SHORT" if key in short else "met",
        ]
        for key, (sign, value) in goals.items()
    ]
    print_table(
        f"{name}: goals{' (quick run: too short to be judged)' if quick else ''}",
        ["figure", "measured", "goal", ""],
        rows,
    )
    line = {
        "bench": name,
        "figures": rounded,
        "goals": {key: list(goal) for key, goal in goals.items()},
        "short": short,
    }
    RESULTS.mkdir(exist_ok=True)
    kept = {**line, "quick": quick, "details": details}
    (RESULTS / f"{name}.json").write_text(json.dumps(kept, indent=1) + "\n")
    print(json.dumps(line))


def _met(value: float | None, goal: Goal) -> bool:
    sign, bound = goal
    if value is None:
        return False
    return value >= bound if sign == ">=" else value <= bound
