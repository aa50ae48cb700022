"""How pages show a boot: its stages, and its state."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from netboot.boot.told.attempts import Attempt, Outcome
from netboot.boot.told.ladder import Rung

# The rungs that pages draw; script and loader come between program and image.
DRAWN = (
    (Rung.DISCOVERED, "Asked"),
    (Rung.OFFERED, "Offered"),
    (Rung.PROGRAM_SENT, "Program sent"),
    (Rung.IMAGE_SENT, "Image sent"),
    (Rung.PE_UP, "Up"),
)
COLOURS = {
    Outcome.UNDER_WAY: "blue",
    Outcome.ONLINE: "green",
    Outcome.OFFLINE: "red",
    Outcome.IGNORED: "secondary",
    Outcome.STALLED: "yellow",
}
WORDS = {
    Outcome.UNDER_WAY: "Booting",
    Outcome.ONLINE: "Online",
    Outcome.OFFLINE: "Offline",
    Outcome.IGNORED: "Ignored",
    Outcome.STALLED: "Stalled",
}


@dataclass(frozen=True, slots=True)
class DrawnRung:
    """One stage: `state` is done, next, stopped or open."""

    label: str
    state: str


@dataclass(frozen=True, slots=True)
class Boot:
    """A boot as pages show it at one moment."""

    key: str
    attempt: Attempt
    outcome: Outcome
    why: str
    rungs: tuple[DrawnRung, ...]

    @property
    def colour(self) -> str:
        return COLOURS[self.outcome]

    @property
    def words(self) -> str:
        return WORDS[self.outcome]


@lru_cache
def draw(reached: Rung, outcome: Outcome) -> tuple[DrawnRung, ...]:
    """The stages: those reached, and the one it waits for or stopped at."""
    after = {
        Outcome.UNDER_WAY: "next",
        Outcome.ONLINE: "open",
        Outcome.OFFLINE: "stopped",
        Outcome.IGNORED: "stopped",
        Outcome.STALLED: "stopped",
    }[outcome]
    rungs = []
    for rung, label in DRAWN:
        if reached >= rung and not (outcome is Outcome.OFFLINE and rung is Rung.PE_UP):
            rungs.append(DrawnRung(label, "done"))
        else:
            rungs.append(DrawnRung(label, after))
            after = "open"
    return tuple(rungs)


def seen(attempt: Attempt, now: float) -> Boot:
    """The state of the boot at `now`."""
    outcome = attempt.outcome(now)
    return Boot(attempt.key, attempt, outcome, attempt.why(now), draw(attempt.rung, outcome))


def as_seen(attempts: Iterable[Attempt], now: float) -> list[Boot]:
    """The state of the boots at `now`."""
    return [seen(attempt, now) for attempt in attempts]
