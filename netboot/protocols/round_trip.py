"""How long to wait for an answer, learnt from the answers so far.

RFC 6298 with a floor of our own instead of its one second, RFC 1123 §4.2.3.2 (a TFTP timeout must
adapt), and Karn's rule: a packet that went out twice measures nothing, and the waits grow until
something can be measured again.
"""

from dataclasses import dataclass

_MOMENT = 0.002
_SURPRISE = 0.010
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

    __slots__ = ("_ceiling", "_timeout", "_timing", "_variation", "quickest", "smoothed", "strain")

    def __init__(self, timing: Timing, ceiling: float) -> None:
        self._timing = timing
        self._ceiling = ceiling
        self._timeout = timing.first_timeout
        self._variation = 0.0
        self.smoothed = 0.0
        self.quickest = 0.0
        self.strain = 0  # timeouts since a round trip could be measured

    def measure(self, trip: float) -> None:
        """Fold in the round trip of a packet that went out once.

        A client whose ACK was lost repeats it after about a second: one such answer says nothing
        about the path. So a much longer trip counts only in part; if it persists, it adds up.
        """
        if self.smoothed:
            believed = min(trip, 2 * self.smoothed + _SURPRISE)
            self.strain = self.strain if believed < trip else 0
            trip = believed
            self._variation += (abs(trip - self.smoothed) - self._variation) * 0.25
            self.smoothed += (trip - self.smoothed) * 0.125
            self.quickest = min(self.quickest, trip)
        else:
            self.smoothed, self._variation, self.quickest = trip, trip / 2, trip
            self.strain = 0
        self._timeout = max(self._timing.floor, self.smoothed + 4 * self._variation + 0.03)

    def answered_again(self, trip: float) -> None:
        """An answer came `trip` seconds after we sent a packet again.

        If that is about the quickest round trip, it answers the last copy: the path loses packets
        but is not slower than measured. Otherwise it answers the first copy, late.
        """
        if self.smoothed and trip <= max(_MOMENT, 2 * self.quickest):
            self.strain = 0

    def timed_out(self) -> None:
        """No answer came: the next waits are longer."""
        self.strain = min(self.strain + 1, _MOST_STRAIN)

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
