"""One TFTP read transfer, from the server's side, as a machine that owns no socket.

RFC 1350, RFC 2347, RFC 7440; RFC 1123 §4.2.3.1 (Sorcerer's Apprentice) and §4.2.3.2 (adaptive
timeout). The machine is handed packets and times, and answers with what to send next:

    start(now)  receive(packet, now)  tick(now)  gone(now)   ->  Action | None
    deadline    when `tick` wants to be called, if nothing comes before
    outcome     None while it goes on

Blocks are counted from 1 without end; only the wire sees them modulo 2^16.

How losses are mended, in the order in which they cost:
* an ACK inside the window says where the gap is: go back there at once (RFC 7440 §4). Where that
  proved wrong, the path repeats or reorders packets: from then on, wait a moment before;
* an ACK that repeats what we know may mean that a window's first block was lost: go back once per
  window, unless the ACK came too early to be an answer, or answers a repetition of ours;
* silence: first the last block alone, whose ACK tells what is missing; then the whole window,
  ever more slowly.
A repeated ACK in lockstep (window 1) is never answered: that is the Apprentice's broom.
"""

from dataclasses import dataclass
from struct import Struct

from netboot.protocols.printable import printable
from netboot.protocols.round_trip import RoundTrip, Timing
from netboot.protocols.tftp_options import Terms

_ack = Struct(">HH").pack
_ACK = 4
_MEASURED_EVERY = 0.010


@dataclass(frozen=True, slots=True)
class SendOptionAck:
    """Send the OACK with the accepted options."""


class SendBlocks:
    """Send `count` blocks from `first` on.

    Not frozen, and a transfer may hand out the same one again: carry it out before the next call.
    """

    __slots__ = ("count", "first")

    def __init__(self, first: int, count: int) -> None:
        self.first = first
        self.count = count

    def __repr__(self) -> str:
        return f"SendBlocks({self.first}, {self.count})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SendBlocks) and (self.first, self.count) == (
            other.first,
            other.count,
        )

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class Finished:
    """The client has every byte. `resent` counts blocks that went out more than once."""

    resent: int


@dataclass(frozen=True, slots=True)
class Probed:
    """The client only wanted the size: an ERROR in answer to our OACK."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The transfer did not reach its end; `reason` in plain words."""

    reason: str


Outcome = Finished | Probed | Failed
Action = SendOptionAck | SendBlocks | Finished | Probed | Failed


class ReadTransfer:
    """The server's side of one file going to one client."""

    __slots__ = (
        "_asked_at",
        "_awaited",
        "_awaits_option_ack",
        "_blocks",
        "_flight_at",
        "_gap_suspected",
        "_measure_at",
        "_pure_flight",
        "_quiet_until",
        "_sceptical",
        "_spoke_at",
        "_timing",
        "_top",
        "_tries",
        "_trip",
        "_wait",
        "_went_back_at",
        "_went_back_from",
        "_window",
        "acknowledged",
        "deadline",
        "last",
        "outcome",
        "resent",
        "sent",
        "terms",
        "validated",
    )

    def __init__(self, *, size: int, terms: Terms, timing: Timing | None = None) -> None:
        self.terms = terms
        self.last = size // terms.block_size + 1  # the last block is short, if need be empty
        self.acknowledged = 0
        self.sent = 0
        self.resent = 0
        self.validated = False  # the client has answered: its address is real
        self.outcome: Outcome | None = None
        self.deadline = 0.0
        self._timing = timing or Timing()
        self._window = 1 if terms.variable_window else terms.window
        self._awaits_option_ack = bool(terms.accepted)
        self._top = 0
        self._tries = 0
        self._asked_at = self._flight_at = self._spoke_at = 0.0
        self._pure_flight = True  # nothing of it was sent before: its round trip may be measured
        self._trip = RoundTrip(self._timing, terms.timeout or self._timing.ceiling)
        self._awaited: bytes | None = None  # the ACK that may take the short way
        self._blocks = SendBlocks(0, 0)
        self._wait = self._measure_at = 0.0
        self._quiet_until = 0  # up to here a repeated ACK may answer a repetition of ours
        self._went_back_at = 0.0
        self._went_back_from = 0
        self._sceptical = self._gap_suspected = False

    def start(self, now: float) -> Action:
        """The first answer to the request."""
        self._asked_at = self._flight_at = now
        self.deadline = now + self._timing.first_timeout
        if self._awaits_option_ack:
            return SendOptionAck()
        return self._send(1, 1)

    def repeat(self) -> Action | None:
        """The client sent its request again: the first answer again, if it still is the turn."""
        if self.validated or self.outcome:
            return None
        self._pure_flight = False
        self._awaited = None
        self._quiet_until = self._window  # two OACKs bring two ACKs
        return SendOptionAck() if self._awaits_option_ack else self._send(1, 1)

    def receive(self, packet: bytes, now: float) -> Action | None:
        """What to do about a packet from the client; None is nothing."""
        if packet != self._awaited:
            return self._receive_unawaited(packet, now)
        # The common case, on which every byte's cost depends: all that was in flight has come,
        # nothing of it had to go twice, and more is to be sent.
        start = self.acknowledged = self.sent
        end = start + self._window
        if end < self.last:
            self._awaited = _ack(_ACK, end & 0xFFFF)
        else:
            end = self.last
            self._awaited = None
        self.sent = self._top = end
        if now >= self._measure_at:
            self._measure(now)
            self._measure_at = now + _MEASURED_EVERY
        self._flight_at = now
        self.deadline = now + self._wait
        action = self._blocks
        action.first = start + 1
        action.count = end - start
        return action

    def _receive_unawaited(self, packet: bytes, now: float) -> Action | None:
        """Anything but simply the next ACK."""
        if len(packet) < 4 or packet[1] != _ACK or packet[0]:
            return self._receive_other(packet)
        wire = packet[2] << 8 | packet[3]
        if self.outcome is not None:
            return None
        if self._awaits_option_ack:
            return None if wire else self._agreed(packet, now)
        block = self.acknowledged + (wire - self.acknowledged & 0xFFFF)
        if block > self._top:
            return None  # of the past, or never sent
        if block == self.acknowledged:
            return self._receive_again(now)
        if self._pure_flight and block == self.sent:
            self._measure(now)
        elif self._tries:
            self._trip.answered_again(now - self._spoke_at)
        if self.terms.variable_window:
            self._follow_window(packet)
        action = self._advance(block, now)
        self._await()
        return action

    def tick(self, now: float) -> Action | None:
        """What to do as time has passed; call when `deadline` has come."""
        if now < self.deadline or self.outcome:
            return None
        self._awaited = None
        if not self.validated:
            return self._tick_unvalidated(now)
        if self._tries and now - self._flight_at >= self._timing.patience:
            return self._end(Failed(f"the client fell silent for {self._timing.patience:.0f} s"))
        if self._expired(now):
            return self._end(Failed("the client was too slow for too long"))
        return self._break_silence(now)

    def gone(self, now: float) -> Action:
        """The client's port was closed (ICMP); after the last block that is a usual farewell."""
        del now
        if self._is_size_probe():
            return self._end(Probed())
        if self.validated and self.sent == self.last:
            return self._end(Finished(self.resent))
        return self._end(Failed("the client closed its port"))

    def _agreed(self, packet: bytes, now: float) -> Action | None:
        """ACK 0 in answer to the OACK (RFC 2347): the first window may go."""
        self._awaits_option_ack = False
        self._trip.quickest = now - self._flight_at
        if self._pure_flight:
            self._measure(now)
        if self.terms.variable_window:
            self._follow_window(packet)
        action = self._advance(0, now)
        self._await()
        return action

    def _advance(self, block: int, now: float) -> Action | None:
        """All blocks up to `block` have come: send the next window."""
        self.acknowledged = block
        self.validated = True
        self._tries = 0
        if block >= self.last:
            return self._end(Finished(self.resent))
        if self._went_back_at:
            self._judge_going_back(block, now)
        self._flight_at = now
        if block < self.sent:
            return self._mind_gap(block, now)
        self._gap_suspected = False
        self._wait = self._silence()
        self.deadline = now + self._wait
        return self._send(block + 1, min(block + self._window, self.last))

    def _mind_gap(self, block: int, now: float) -> Action | None:
        """The client says inside a window how far it has come: what follows is lost, or late."""
        end = min(block + self._window, self.last)
        self._quiet_until = self._top + self._window  # of what is in flight come repeated ACKs
        if not self._sceptical:
            self._went_back_at, self._went_back_from = now, self._top
            self.deadline = now + self._trip.probe_after()
            return self._send(block + 1, end)
        self._gap_suspected = True
        self.deadline = now + self._trip.moment()
        return self._send(self._top + 1, end) if end > self._top else None

    def _judge_going_back(self, block: int, now: float) -> None:
        """Going back was wrong if what we thought lost is acknowledged before it can have come."""
        if now - self._went_back_at < 0.75 * self._trip.quickest and block <= self._went_back_from:
            self._sceptical = True
        self._went_back_at = 0.0

    def _receive_again(self, now: float) -> Action | None:
        """An ACK for what we know to have come: a window's first block may be lost."""
        if self._tries:  # we spoke into silence, and he is there: speak again, but not at once
            self._tries = 1
            self._trip.strain = 0
            self.deadline = min(self.deadline, now + self._trip.resend_after())
            return None
        if (
            self._window == 1
            or self.sent == self.acknowledged
            or self.acknowledged < self._quiet_until
            or now - self._flight_at < self._trip.quickest / 2
        ):
            return None
        self._quiet_until = self._top + self._window
        self.deadline = now + self._trip.resend_after()
        self._awaited = None
        return self._send(self.acknowledged + 1, self.sent)

    def _await(self) -> None:
        """Have the ACK of the whole flight take the short way, if it will be that simple."""
        simple = (
            self._pure_flight
            and not self._tries
            and not self._trip.strain
            and not self._went_back_at
            and not self._gap_suspected
            and not self.terms.variable_window
            and self.outcome is None
            and self.sent < self.last
        )
        self._awaited = _ack(_ACK, self.sent & 0xFFFF) if simple else None

    def _receive_other(self, packet: bytes) -> Action | None:
        """Neither an ACK nor wanted. An ERROR ends the transfer, the rest is ignored."""
        if len(packet) < 4 or packet[0] or packet[1] != 5 or self.outcome:
            return None
        if self._is_size_probe():
            return self._end(Probed())
        code = packet[2] << 8 | packet[3]
        said = printable(packet[4:64].split(b"\0", 1)[0])
        return self._end(Failed(f"the client gave up: {said or 'no reason'} (error {code})"))

    def _tick_unvalidated(self, now: float) -> Action | None:
        timing = self._timing
        if now - self._asked_at >= timing.first_patience:
            return self._end(Failed("the client never answered our first packet"))
        self._tries += 1
        if self._tries >= timing.first_sends:
            self.deadline = self._asked_at + timing.first_patience
            return None
        wait = timing.first_timeout * (1 << self._tries)
        self.deadline = min(now + wait, self._asked_at + timing.first_patience)
        return self.repeat()

    def _break_silence(self, now: float) -> Action | None:
        """First the flight's last block alone, then all of it, and at last nothing more."""
        if self._gap_suspected:  # the moment is over: what was late is lost
            self._gap_suspected = False
            self.deadline = now + self._trip.resend_after()
            return self._send(self.acknowledged + 1, self.sent)
        if self._tries >= self._timing.tries:
            self.deadline = self._flight_at + self._timing.patience
            return None
        self._tries += 1
        self._spoke_at = now
        self._pure_flight = False
        self._quiet_until = self._top + self._window
        self.deadline = now + self._trip.resend_after()
        self._trip.timed_out()
        if self._tries == 1 and self.sent - self.acknowledged > 1:
            self.resent += 1
            return SendBlocks(self.sent, 1)
        return self._send(self.acknowledged + 1, self.sent)

    def _send(self, first: int, end: int) -> SendBlocks:
        """Blocks `first` to `end`, which is in flight from now on."""
        if first > self._top:
            self._pure_flight = True
            self._top = end
        else:
            self._pure_flight = False
            self.resent += min(end, self._top) - first + 1
            self._top = max(self._top, end)
        self.sent = end
        return SendBlocks(first, end - first + 1)

    def _end(self, outcome: Outcome) -> Outcome:
        self.outcome = outcome
        self._awaited = None
        return outcome

    def _measure(self, now: float) -> None:
        self._trip.measure(now - self._flight_at)
        self._wait = self._silence()

    def _silence(self) -> float:
        """How long after a flight we speak again, if nothing comes."""
        return self._trip.resend_after() if self._window == 1 else self._trip.probe_after()

    def _is_size_probe(self) -> bool:
        """Whether the client has our OACK with the file's size, and may have wanted no more."""
        return self._awaits_option_ack and "tsize" in self.terms.accepted

    def _follow_window(self, packet: bytes) -> None:
        """Microsoft's fifth byte of an ACK: how many blocks the client wants next."""
        if len(packet) > 4 and packet[4]:
            self._window = min(packet[4], self.terms.window)

    def _expired(self, now: float) -> bool:
        """Whether the transfer holds its place for longer than its size is worth."""
        total = self.last * self.terms.block_size
        allowed = max(self._timing.lifetime, total / self._timing.slowest)
        return now - self._asked_at >= allowed
