"""How long to wait for an answer, learnt from the answers so far.

RFC 6298 with a floor of our own instead of its one second, RFC 1123 §4.2.3.2 (a TFTP timeout must
adapt), and Karn's rule: a packet that went out twice measures nothing, and the waits grow until
something can be measured again.

Karn's rule alone is not enough here, for the other side has a timer too: a client whose ACK was
lost says it again after a second or so, and that looks like the round trip of a packet that went
out once. Believed, it makes our waits longer than the client's timer, and every loss feeds it
again. So a late answer counts only when the next ones are late as well, and quick ones count more:
an answer may take longer than the path needs, never less.
"""

from dataclasses import dataclass

_MOMENT = 0.002
_SURPRISE = 0.010
_BELIEVED = 3  # much later, or sooner, answers in a row
_DOUBTED = 4  # answers in a row to packets sent twice, that came late
_MOST_STRAIN = 16


@dataclass(frozen=True, slots=True)
class Timing:
    """All waits in seconds, and how often we send.

    Before the first valid ACK the address may be forged: few sends, no measured time. After it,
    the timeout follows the round trip between `floor` and `ceiling` (or the negotiated timeout).
    """

    first_timeout: float = 1.0
    first_sends: int = 3
    first_patience: float = 10.0
    probe_floor: float = 0.010
    floor: float = 0.040
    ceiling: float = 4.0
    tries: int = 8
    patience: float = 30.0
    lifetime: float = 600.0
    slowest: float = 16 * 1024.0
    """Bytes a second below which a transfer is ended once `lifetime` is over."""


class RoundTrip:
    """The round trips of one transfer, and the waits that follow from them. All in seconds."""

    __slots__ = (
        "_ceiling",
        "_doubts",
        "_floor",
        "_late",
        "_quick",
        "_timeout",
        "_timing",
        "_variation",
        "quickest",
        "smoothed",
        "strain",
    )

    def __init__(self, timing: Timing, ceiling: float) -> None:
        self._timing = timing
        self._ceiling = ceiling
        self._floor = timing.floor
        self._late = 0  # answers in a row that came much later than the ones before
        self._doubts = 0  # late answers in a row, of which nobody knows to which copy
        self._quick = 0  # answers in a row that came much sooner than the ones before
        self._timeout = timing.first_timeout
        self._variation = 0.0
        self.smoothed = 0.0
        self.quickest = 0.0
        self.strain = 0  # timeouts since a round trip could be measured

    def measure(self, trip: float) -> None:
        """Fold in the round trip of a packet that went out once."""
        if not self.smoothed:
            self._begin(trip)
        elif trip <= 2 * self.smoothed + _SURPRISE:
            haste = 1.0 if trip >= self.smoothed / 4 else 4.0
            self._variation += (abs(trip - self.smoothed) - self._variation) * 0.125 * (1 + haste)
            self.smoothed += (trip - self.smoothed) * 0.125 * haste
            self.quickest = min(self.quickest, trip)
        else:
            self._late += 1
            if self._late < _BELIEVED:
                return  # the client's own timer, or a slower path: the next answers will tell
            self._begin(trip)
        self._late = self._doubts = self.strain = 0
        self._learn()

    def answered_again(self, trip: float) -> None:
        """An answer came `trip` seconds after we sent a packet again.

        If that is no more than a round trip, the path loses packets but is not slower than
        measured. Much less, and it answers the first copy: sending it again was hasty. If it takes
        longer, it was lost and said again, or the path is slower now: only several such answers in
        a row make the waits longer.
        """
        self._quick = self._quick + 1 if trip < self.smoothed / 4 else 0
        if not self.smoothed:
            if trip > self._timing.first_timeout / 2:
                return  # rather the client's own timer
            self._begin(trip)  # the best guess that there is; if it is wrong, strain will tell
        elif self._quick >= _BELIEVED:
            self._begin(trip)  # what was measured was not the path
        elif trip <= max(_MOMENT, 2 * self.quickest, 1.5 * self.smoothed):
            self._doubts = self.strain = 0
            if trip < self.quickest / 2:
                self._floor = min(self._floor * 2, self._timing.floor)
            else:
                self._floor = max(self._floor / 2, min(self._timing.probe_floor, self._floor))
        else:
            self._doubts += 1
            self.strain = self.strain if self._doubts >= _DOUBTED else 0
        self._learn()

    def timed_out(self) -> None:
        """No answer came: the next waits are longer."""
        self.strain = min(self.strain + 1, _MOST_STRAIN)

    def calm(self) -> float:
        """How long an answer may take at most, as far as is known, whatever was lost since."""
        return min(self._timeout, self._ceiling)

    def resend_after(self) -> float:
        """How long to wait before sending everything in flight again."""
        return min(self._timeout * (1 << self.strain), self._ceiling)

    def probe_after(self) -> float:
        """How long a window may be silent before its last block is sent again."""
        wait = max(self._timing.probe_floor, 2 * self.smoothed + 4 * self._variation)
        return min(wait * (1 << self.strain), self.resend_after())

    def moment(self) -> float:
        """How late a reordered packet may be."""
        return max(_MOMENT, self.smoothed + 2 * self._variation)

    def _begin(self, trip: float) -> None:
        """This is how long answers take now, whatever was measured before."""
        quickest = self.quickest if self.smoothed else trip
        self.smoothed, self._variation, self.quickest = trip, trip / 2, min(quickest, trip)

    def _learn(self) -> None:
        room = 0.75 * self._floor
        self._timeout = max(self._floor, self.smoothed + 4 * self._variation + room)
