"""One alarm clock on the loop: set it ever earlier or later, it wakes you when it is time."""

from collections.abc import Callable
from math import inf

from netboot.serve.udp import Loop


class Alarm:
    """Calls `wake(now)` at the time that it was last set to, or earlier; look whether it is time.

    The loop's timers cannot be cancelled, and need not be: most times move further away with
    every packet, so that one timer is passed on from time to time in place of a new one a packet.
    """

    __slots__ = ("_loop", "_wake", "at")

    def __init__(self, loop: Loop, wake: Callable[[float], None]) -> None:
        self.at = inf
        self._loop = loop
        self._wake = wake

    def set(self, when: float) -> None:
        """Ring at `when`, unless it will ring before anyway."""
        if when < self.at:
            self.at = when
            self._loop.at(when, self._ring)

    def _ring(self, now: float) -> None:
        if now >= self.at:  # else an earlier one has replaced this one
            self.at = inf
            self._wake(now)
