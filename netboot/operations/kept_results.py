"""Results that take a while, kept with what they were made of.

A result depends on what somebody decided (its key) and on what merely happens meanwhile (its
stamp: machines that are seen). Who acts on a result asks for it as it is now. Who only looks may
be shown the one from a moment ago, while it is made anew beside: a page never waits for it.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from netboot.errors import NetbootError

T = TypeVar("T")

KEPT = 8
THREAD = "kept-results"
AT_ONCE_SECONDS = 0.05
"""What takes less is made while one waits."""

REST = 20
"""What takes longer may take a twentieth of a processor."""


@dataclass(frozen=True, slots=True)
class _Result(Generic[T]):
    value: T
    stamp: Hashable
    seconds: float
    at: float


class KeptResults(Generic[T]):
    """The newest results by key, at most `limit`. Any thread may ask."""

    def __init__(self, limit: int = KEPT) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._found: OrderedDict[Hashable, _Result[T]] = OrderedDict()
        self._beside: set[Hashable] = set()

    def now(self, key: Hashable, stamp: Hashable, make: Callable[[], T]) -> T:
        """The result for this key and stamp, made while one waits unless it is kept."""
        with self._lock:
            found = self._found.get(key)
        return found.value if found and found.stamp == stamp else self._make(key, stamp, make)

    def lately(self, key: Hashable, stamp: Hashable, make: Callable[[], T]) -> T:
        """As `now`, but where it takes long and was there for another stamp: that one, for once.

        A new one is made beside.
        """
        with self._lock:
            found = self._found.get(key)
            if found is None or found.stamp == stamp or found.seconds <= AT_ONCE_SECONDS:
                old = None
            else:
                old = found
            rested = old is not None and time.monotonic() - old.at >= REST * old.seconds
            begin = rested and key not in self._beside
            if begin:
                self._beside.add(key)
        if old is None:
            return self.now(key, stamp, make)
        if begin:
            work = (key, stamp, make)
            threading.Thread(target=self._make_beside, args=work, name=THREAD, daemon=True).start()
        return old.value

    def soon(self, key: Hashable, stamp: Hashable, make: Callable[[], T]) -> T | None:
        """The result for this key and stamp, or None where it takes long: it is made beside.

        Who got none asks again in a moment. One for another stamp is never given.
        """
        with self._lock:
            found = self._found.get(key)
            if found is not None and found.stamp == stamp:
                return found.value
            if key in self._beside:
                return None
            self._beside.add(key)
        work = (key, stamp, make)
        beside = threading.Thread(target=self._make_beside, args=work, name=THREAD, daemon=True)
        beside.start()
        beside.join(AT_ONCE_SECONDS / 2)  # the page itself takes the rest of the time
        # One that ended with an error is told of by making it here.
        return None if beside.is_alive() else self.now(key, stamp, make)

    def _make_beside(self, key: Hashable, stamp: Hashable, make: Callable[[], T]) -> None:
        try:
            # Who asks next makes it while waiting, and is told what is wrong.
            with suppress(NetbootError):
                self._make(key, stamp, make)
        finally:
            with self._lock:
                self._beside.discard(key)

    def _make(self, key: Hashable, stamp: Hashable, make: Callable[[], T]) -> T:
        began = time.thread_time()
        value = make()
        made = _Result(value, stamp, time.thread_time() - began, time.monotonic())
        with self._lock:
            self._found[key] = made
            self._found.move_to_end(key)
            while len(self._found) > self._limit:
                self._found.popitem(last=False)
        return value
