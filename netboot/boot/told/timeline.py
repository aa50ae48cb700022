"""One boot as a timeline: what was said, what was decided and why, and how fast each file went.

Pure: events in, values out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

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
    TransferFailed,
    TransferFinished,
    TransferRefused,
)
from netboot.boot.told.ladder import OPTIONAL, Rung, rung_of, sentence

PICTURED_FROM = 20_000
"""Bytes below which a file's rate says nothing."""


@dataclass(frozen=True, slots=True)
class Line:
    """One event. `after` is seconds since the boot began; `look` says what kind of line it is.

    look: "machine" (it spoke), "answer" (we answered), "file", "fault", "up". `why` is the
    reason of a decision, apart from what was decided.
    """

    after: float
    text: str
    look: str
    rung: Rung | None = None
    why: str = ""
    times: int = 1


@dataclass(frozen=True, slots=True)
class Fetch:
    """One file on its way to the machine. Epoch seconds, bytes; `seconds` it took."""

    name: str
    protocol: str
    began: float
    seconds: float
    size: int
    resent: int = 0
    failed: str = ""

    @property
    def rate(self) -> float:
        """Bytes a second; 0 for what was too small or too quick to be timed."""
        timed = self.seconds >= 0.005 and self.size >= PICTURED_FROM
        return self.size / self.seconds if timed else 0.0


def timeline(events: Sequence[Event], attempt: Attempt) -> tuple[Line, ...]:
    """The events as lines; what a machine repeats word by word is one line that counts."""
    lines: list[Line] = []
    highest = -1
    for event in events:
        if isinstance(event, TransferRefused) and event.reason.startswith(OPTIONAL):
            continue  # loaders probe for a dozen files that need not be there
        rung = rung_of(event)
        climbed = rung if rung is not None and rung > highest else None
        highest = max(highest, rung if rung is not None else -1)
        line = Line(
            max(0.0, event.at - attempt.began),
            *_told(event),
            rung=climbed,
            why=_why(event),
        )
        if lines and climbed is None and (lines[-1].text, lines[-1].why) == (line.text, line.why):
            last = lines.pop()
            line = Line(last.after, last.text, last.look, last.rung, last.why, last.times + 1)
        lines.append(line)
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
            case TransferFailed() if event.sent:
                found.append(
                    Fetch(event.name, "TFTP", event.at, 0.0, event.sent, failed=event.reason)
                )
    return tuple(sorted(found, key=lambda fetch: fetch.began))


def _fetch(event: TransferFinished | ContentServed, protocol: str, resent: int) -> Fetch:
    began = event.at - event.seconds
    return Fetch(event.name, protocol, began, event.seconds, event.size, resent)


def _told(event: Event) -> tuple[str, str]:
    """The event's sentence without its reason, and what kind of line it is."""
    text, reason = sentence(event), _why(event)
    return text.removesuffix(f": {reason}") if reason else text, _look(event)


def _look(event: Event) -> str:
    if isinstance(event, OfferSent) and event.warning:
        return "fault"
    if isinstance(event, TransferFailed) and not event.sent:
        return "machine"  # a probe for the size: the client hangs up on purpose
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
        case OfferSent(reason=reason, warning="") | ScriptServed(reason=reason):
            return reason
        case RequestIgnored(reason=reason):
            return reason
        case _:
            return ""
