"""One TFTP read transfer, from the server's side, as a state machine that owns no socket.

RFC 1350, RFC 2347, RFC 7440; RFC 1123 §4.2.3.1 (Sorcerer's Apprentice) and §4.2.3.2 (adaptive
timeout). It takes packets and times, and returns what to send next:

    start(now)  receive(packet, now)  tick(now)  gone(now)   ->  Action | None
    deadline    when to call `tick`, if nothing comes before
    outcome     None while the transfer runs

Blocks are counted from 1 without end; only the wire sees them modulo 2^16.

How losses are repaired, cheapest first:
* an ACK inside the window says where the gap is: go back there at once (RFC 7440 §4). If that
  proved wrong, the path repeats or reorders packets: wait a moment first for the rest of the file;
* a repeated ACK may mean that the first block of a window was lost: go back once per window,
  unless the ACK came too early to be an answer, or answers a repetition of ours;
* silence: first the last block alone, since its ACK shows what is missing; then the whole window,
  ever more slowly. A client that repeats its ACK into the silence gets the window at once.
* where many blocks are lost together, a window leaves in bursts (`pace`).
A repeated ACK that may answer what left just now, or a repetition of ours, is never answered (the
Sorcerer's Apprentice): in lockstep only one that comes later than an answer can take, and few.
"""

from struct import Struct

from netboot.protocols.pace import Pace
from netboot.protocols.printable import printable
from netboot.protocols.round_trip import RoundTrip, Timing
from netboot.protocols.tftp_options import Terms
from netboot.protocols.transfer_actions import (
    Action,
    Failed,
    Finished,
    Outcome,
    Probed,
    SendBlocks,
    SendOptionAck,
)

_ack = Struct(">HH").pack
_ACK = 4
_MEASURED_EVERY = 0.010
_PROMPTS = 32


class ReadTransfer:
    """The server's side of one file going to one client."""

    __slots__ = (
        "_afterwards",
        "_asked_at",
        "_awaited",
        "_awaits_option_ack",
        "_blocks",
        "_flight_at",
        "_gap_suspected",
        "_measure_at",
        "_pace",
        "_probed",
        "_prompts",
        "_pure_flight",
        "_quiet_until",
        "_rest",
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
        self._top = 0  # the highest block ever sent
        self._tries = 0  # sends into the present silence
        self._prompts = 0  # times that the client broke it with a repeated ACK
        self._probed = False  # the last packet that we sent was a block alone, to be answered
        self._rest = 0  # the end of a flight of which bursts are still to be sent
        self._pace = Pace(terms.window)
        self._asked_at = self._flight_at = self._spoke_at = 0.0
        self._pure_flight = True  # no block of it was sent twice: its round trip can be measured
        self._trip = RoundTrip(self._timing, terms.timeout or self._timing.ceiling)
        self._awaited: bytes | None = None  # the ACK that `receive` handles without further checks
        self._blocks = SendBlocks(0, 0)
        self._wait = self._measure_at = self._afterwards = 0.0
        self._quiet_until = 0  # up to this block a repeated ACK may answer a repetition of ours
        self._went_back_at = 0.0
        self._went_back_from = 0
        self._sceptical = self._gap_suspected = False

    def start(self, now: float) -> Action:
        """The first answer to the request."""
        self._asked_at = self._flight_at = now
        self.deadline = now + self._timing.first_timeout
        if self._awaits_option_ack:
            return SendOptionAck()
        return self._send(1, 1, now)

    def repeat(self, now: float) -> Action | None:
        """The client repeated its request: repeat the first answer, unless it was confirmed."""
        if self.validated or self.outcome:
            return None
        self._pure_flight = False
        self._spoke_at = now
        self._awaited = None
        self._quiet_until = self._window  # two OACKs cause two ACKs
        return SendOptionAck() if self._awaits_option_ack else self._send(1, 1, now)

    def receive(self, packet: bytes, now: float) -> Action | None:
        """What to do about a packet from the client."""
        if packet != self._awaited:
            return self._receive_unawaited(packet, now)
        # The common case, which decides the cost of every byte: the whole flight has arrived,
        # no block of it was sent twice, and there is more to send.
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
        if len(packet) < 4 or packet[1] != _ACK or packet[0]:
            return self._receive_other(packet)
        wire = packet[2] << 8 | packet[3]
        if self.outcome is not None:
            return None
        if self._awaits_option_ack:
            return None if wire else self._agreed(packet, now)
        block = self.acknowledged + (wire - self.acknowledged & 0xFFFF)
        if block > self._top:
            return None  # old, or a block that was never sent
        if block == self.acknowledged:
            return self._receive_again(now)
        self._time(block, now)
        if self.terms.variable_window:
            self._follow_window(packet)
        action = self._advance(block, now)
        self._await()
        return action

    def tick(self, now: float) -> Action | None:
        """What to do at `deadline`."""
        if now < self.deadline or self.outcome:
            return None
        self._awaited = None
        if not self.validated:
            return self._tick_unvalidated(now)
        if self._tries and now - self._flight_at >= self._timing.patience:
            return self._end(Failed(f"the client fell silent for {self._timing.patience:.0f} s"))
        size = self.last * self.terms.block_size
        if now - self._asked_at >= max(self._timing.lifetime, size / self._timing.slowest):
            return self._end(Failed("the client was too slow for too long"))
        return self._break_silence(now)

    def gone(self, now: float) -> Action:
        """The client closed its port (ICMP); PXE ROMs do so after the last block."""
        del now
        if self._is_size_probe():
            return self._end(Probed())
        if self.validated and self.sent == self.last:
            return self._end(Finished(self.resent))
        return self._end(Failed("the client closed its port"))

    def _agreed(self, packet: bytes, now: float) -> Action | None:
        """ACK 0 in answer to the OACK (RFC 2347): send the first window."""
        self._awaits_option_ack = False
        self._time(0, now)
        if self.terms.variable_window:
            self._follow_window(packet)
        action = self._advance(0, now)
        self._await()
        return action

    def _advance(self, block: int, now: float) -> Action | None:
        """The client has all blocks up to `block`: send the next window."""
        if self._went_back_at:
            self._judge_going_back(block, now)
        if block == self.sent and self._window > 1:
            self._pace.arrived()
        elif block < self.sent and not self._sceptical:
            self._pace.lost(self.sent - block, self.sent - self.acknowledged)
        self.acknowledged = block
        self.validated = True
        self._probed = False
        self._tries = self._prompts = 0
        if block >= self.last:
            return self._end(Finished(self.resent))
        self._flight_at = now
        if block < self.sent:
            return self._mind_gap(block, now)
        self._gap_suspected = False
        self._wait = self._silence()
        self.deadline = now + self._wait
        return self._send(block + 1, min(block + self._window, self.last), now)

    def _mind_gap(self, block: int, now: float) -> Action | None:
        """An ACK inside the window (RFC 7440 §4): the following blocks are lost, or late."""
        end = min(block + self._window, self.last)
        self._quiet_until = self._top + self._window  # blocks in flight cause repeated ACKs
        if not self._sceptical:
            self._went_back_at, self._went_back_from = now, self._top
            self.deadline = now + self._trip.probe_after()
            return self._send(block + 1, end, now)
        self._gap_suspected = True
        self.deadline = now + self._trip.moment()
        return self._send(self._top + 1, end, now) if end > self._top else None

    def _judge_going_back(self, block: int, now: float) -> None:
        """Going back was wrong if the ACK came sooner than the repeated blocks can have arrived."""
        if now - self._went_back_at < 0.75 * self._trip.quickest and block <= self._went_back_from:
            self._sceptical = True
        self._went_back_at = 0.0

    def _receive_again(self, now: float) -> Action | None:
        """A repeated ACK: the block after it may be lost."""
        silent = now - max(self._spoke_at, self._flight_at)
        calm = self._trip.calm()
        if silent >= calm or (self._probed and silent >= self._trip.quickest / 2):
            return self._prompted(now)
        if self._tries:  # it may answer what has just left; but the client is alive
            self.deadline = min(self.deadline, now - silent + calm)
        elif self._window > 1 and self.acknowledged >= self._quiet_until:
            return self._send_again(now) if silent >= self._trip.quickest / 2 else None
        return None

    def _prompted(self, now: float) -> Action | None:
        """A repeated ACK that answers our probe, or breaks the silence: the client waits for us."""
        if self._prompts >= _PROMPTS or not self.validated:
            return None
        self._prompts += 1
        self._tries = 1
        self._trip.strain = 0
        return self._send_again(now)

    def _send_again(self, now: float) -> SendBlocks:
        """Everything in flight."""
        if not self._sceptical:
            self._pace.lost(self.sent - self.acknowledged, self.sent - self.acknowledged)
        self._awaited = None
        self._probed = False
        self._spoke_at = now
        self._quiet_until = self._top + self._window
        self.deadline = now + self._silence()
        return self._send(self.acknowledged + 1, max(self.sent, self._rest), now)

    def _await(self) -> None:
        """Let `receive` take its short way for the next ACK, if that can be the common case."""
        simple = (
            self._pure_flight
            and not self._tries
            and not self._trip.strain
            and not self._went_back_at
            and not self._gap_suspected
            and not self.terms.variable_window
            and self.outcome is None
            and self.sent < self.last
            and not self._rest
            and self._pace.burst >= self._window
        )
        self._awaited = _ack(_ACK, self.sent & 0xFFFF) if simple else None

    def _receive_other(self, packet: bytes) -> Action | None:
        """An ERROR ends the transfer; anything else is ignored."""
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
        return self.repeat(now)

    def _break_silence(self, now: float) -> Action | None:
        """First the last block in flight alone, then all of them, in the end no more."""
        if self._rest:
            return self._send_rest(now)
        if self._gap_suspected:  # the moment is over: the blocks are lost, this time
            self._gap_suspected = self._sceptical = False
            return self._send_again(now)
        if self._tries >= self._timing.tries:
            self.deadline = self._flight_at + self._timing.patience
            return None
        self._tries += 1
        if self._tries == 1 and self.sent - self.acknowledged > 1:
            self._spoke_at, self._probed, self._pure_flight = now, True, False
            self._quiet_until = self._top + self._window
            self.deadline = now + self._trip.resend_after()
            self.resent += 1
            action = SendBlocks(self.sent, 1)
        else:
            action = self._send_again(now)
        self._trip.timed_out()
        return action

    def _send(self, first: int, end: int, now: float) -> SendBlocks:
        """Send blocks `first` to `end`, or a burst of them; they are in flight now."""
        last = min(end, first + self._pace.burst - 1)
        self._rest = 0
        if last < end:
            self._rest, self._afterwards = end, self.deadline - now  # the wait after the last burst
            self.deadline = now + self._pace.pause(self._trip.smoothed)
        if first > self._top:
            self._pure_flight = True
            self._top = last
        else:
            self._pure_flight = False
            self.resent += min(last, self._top) - first + 1
            self._top = max(self._top, last)
        self.sent = last
        return SendBlocks(first, last - first + 1)

    def _send_rest(self, now: float) -> SendBlocks:
        """The next burst of a flight."""
        pure = self._pure_flight
        self._spoke_at = now
        self.deadline = now + self._afterwards
        action = self._send(self.sent + 1, self._rest, now)
        self._pure_flight = pure and self._pure_flight
        return action

    def _end(self, outcome: Outcome) -> Outcome:
        self.outcome = outcome
        self._awaited = None
        return outcome

    def _time(self, block: int, now: float) -> None:
        """Learn from an ACK that brought something new."""
        if not self._pure_flight:
            self._trip.answered_again(now - max(self._flight_at, self._spoke_at))
            return
        if block == self.sent:  # the answer to the last burst
            self._flight_at = max(self._flight_at, self._spoke_at)
        self._measure(now)

    def _measure(self, now: float) -> None:
        self._trip.measure(now - self._flight_at)
        self._wait = self._silence()

    def _silence(self) -> float:
        """How long to wait for an answer to a flight."""
        return self._trip.resend_after() if self._window == 1 else self._trip.probe_after()

    def _is_size_probe(self) -> bool:
        """Whether an ERROR now only ends a probe for the size.

        EDK2 (ERROR 8) and Microsoft's boot manager (ERROR 0) answer the OACK so, then ask again.
        """
        return self._awaits_option_ack and "tsize" in self.terms.accepted

    def _follow_window(self, packet: bytes) -> None:
        """Microsoft's fifth byte of an ACK (`msftwindow`): the size of the next window."""
        if len(packet) > 4 and packet[4]:
            self._window = min(packet[4], self.terms.window)
