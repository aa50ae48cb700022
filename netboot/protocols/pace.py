"""How many blocks of a window leave together.

A client acknowledges whole windows (RFC 7440), so a server cannot make the window itself smaller.
But it can send it in bursts with pauses between them. That is what a path needs that loses many
blocks together: a switch, a slow link or a network card that holds only so many packets.

A burst is halved when two flights in a row lose more than a quarter, and doubled when some have
arrived whole. If the doubled burst proves too large, the next attempt waits longer.
"""

_HURT = 2  # flights in a row, so that a single loss changes nothing
_WHOLE = 4
_MOST_WHOLE = 64
_LEAST_PAUSE = 0.001


class Pace:
    """The bursts of one transfer; `burst` is the present size in blocks."""

    __slots__ = ("_enough", "_grew", "_hurt", "_most", "_whole", "burst")

    def __init__(self, window: int) -> None:
        self.burst = self._most = window
        self._hurt = self._whole = 0
        self._enough = _WHOLE  # whole flights before the burst grows
        self._grew = False

    def arrived(self) -> None:
        """A flight arrived whole."""
        self._hurt = 0
        if self.burst == self._most:
            self._grew = self._grew and self._whole < self._enough
            self._whole += 1
            return
        self._whole += 1
        if self._whole >= self._enough:
            self.burst = min(2 * self.burst, self._most)
            self._whole, self._grew = 0, True

    def lost(self, missing: int, flight: int) -> None:
        """Of a flight of so many blocks, the last `missing` did not arrive, as far as is known."""
        if 4 * missing <= flight:
            return
        self._whole = 0
        self._hurt += 1
        if self._hurt < _HURT:
            return
        self._hurt = 0
        self._enough = min(2 * self._enough, _MOST_WHOLE) if self._grew else _WHOLE
        self._grew = False
        self.burst = max(1, min(self.burst, flight) // 2)

    def pause(self, trip: float) -> float:
        """Seconds between two bursts: a burst's part of the time that a window takes."""
        return max(_LEAST_PAUSE, trip * self.burst / self._most)
