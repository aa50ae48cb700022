"""Counts that need a moment: what has just ended may not be closed yet."""

import threading
import time
from collections.abc import Callable

LOOK_SECONDS = 0.05


def settled(read: Callable[[], int], most: float, *, seconds: float = 30.0) -> int:
    """The count as soon as it is at most `most`, or the last one when the time is over."""
    until, look = time.monotonic() + seconds, threading.Event()
    while (found := read()) > most and time.monotonic() < until:
        look.wait(LOOK_SECONDS)
    return found


def at_rest(read: Callable[[], int], *, quiet: float = 0.5, seconds: float = 30.0) -> int:
    """The count when it has not changed for a while: what stays, not what is just being closed."""
    look, began = threading.Event(), time.monotonic()
    found, since = read(), began
    while (now := time.monotonic()) - since < quiet and now - began < seconds:
        look.wait(LOOK_SECONDS)
        again = read()
        if again != found:
            found, since = again, time.monotonic()
    return found
