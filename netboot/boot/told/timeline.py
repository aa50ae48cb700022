"""One boot as a timeline: requests, decisions with their reasons, and the rate of each file."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from netboot.boot.told.attempt import Attempt
from netboot.boot.told.events import (
    ContentRefused,
    ContentServed,
    Event,
    ForeignOffer,
    OfferSent,
    PeOffline,
    PeReported,
    RequestIgnored,
    ScriptServed,
    TransferContinued,
    TransferFailed,
    TransferFinished,
    TransferRefused,
)
from netboot.boot.told.ladder import OPTIONAL, Rung, broke_off, rung_of, sentence

PICTURED_FROM = 20_000
"""Bytes below which a file has no meaningful rate."""


@dataclass(frozen=True, slots=True)
class Line:
    """One event. `after` is seconds since the boot began; `why` is the reason of a decision.

    `look` is the kind of line: "machine" (its request), "answer" (ours), "file", "fault", "up".
    """

    after: float
    text: str
    look: str
    rung: Rung | None = None
    why: str = ""
    times: int = 1


@dataclass(frozen=True, slots=True)
class Fetch:
    """One file sent to the machine: `began` in epoch seconds, `seconds` it took, bytes."""

    name: str
    protocol: str
    began: float
    seconds: float
    size: int
    resent: int = 0
    failed: str = ""

    @property
    def rate(self) -> float:
        """Bytes a second; 0 if the file was too small or too quick to be timed."""
        timed = self.seconds >= 0.005 and self.size >= PICTURED_FROM
        return self.size / self.seconds if timed else 0.0


def timeline(events: Sequence[Event], attempt: Attempt) -> tuple[Line, ...]:
    """The events as lines; identical repetitions are one line with a count."""
    lines: list[Line] = []
    highest = -1
    for event in events:
        if isinstance(event, TransferRefused) and event.reason.startswith(OPTIONAL):
            continue  # loaders probe for a dozen optional files
        if isinstance(event, TransferContinued):
            continue
        rung = rung_of(event)
        climbed = rung if rung is not None and rung > highest else None
        highest = max(highest, rung if rung is not None else -1)
        text, why = sentence(event), _why(event)
        if why:
            text = text.removesuffix(f": {why}")
        if lines and climbed is None and (lines[-1].text, lines[-1].why) == (text, why):
            lines[-1] = replace(lines[-1], times=lines[-1].times + 1)
        else:
            after = max(0.0, event.at - attempt.began)
            lines.append(Line(after, text, _look(event), climbed, why))
    return tuple(lines)


def fetches(events: Iterable[Event]) -> tuple[Fetch, ...]:
    """Every file that went out, in the order in which they began."""
    found = []
    for event in events:
        match event:
            case TransferFinished():
                found.append(_fetch(event, "TFTP", event.resent))
            case ContentServed():
                found.append(_fetch(event, "HTTP", 0))
            case TransferFailed(name=name, at=at, sent=sent, reason=reason) if broke_off(event):
                found.append(Fetch(name, "TFTP", at, 0.0, sent, failed=reason))
    return tuple(sorted(found, key=lambda fetch: fetch.began))


def _fetch(event: TransferFinished | ContentServed, protocol: str, resent: int) -> Fetch:
    began = event.at - event.seconds
    return Fetch(event.name, protocol, began, event.seconds, event.size, resent)


def _look(event: Event) -> str:
    if isinstance(event, OfferSent) and event.warning:
        return "fault"
    if isinstance(event, TransferFailed) and not broke_off(event):
        return "machine"  # a probe for the size: the client ended it on purpose
    return _LOOKS.get(type(event), "machine")


_LOOKS: dict[type[Event], str] = {
    OfferSent: "answer",
    ScriptServed: "answer",
    TransferFinished: "file",
    ContentServed: "file",
    PeReported: "up",
    PeOffline: "fault",
    RequestIgnored: "fault",
    TransferRefused: "fault",
    TransferFailed: "fault",
    ContentRefused: "fault",
    ForeignOffer: "fault",
}


def _why(event: Event) -> str:
    """The reason of a decision of ours."""
    match event:
        case OfferSent(warning="") | ScriptServed() | RequestIgnored():
            return event.reason
        case _:
            return ""
