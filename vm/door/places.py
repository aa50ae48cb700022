"""Places for machines: a few run at once, the others wait until their client hangs up."""

import contextlib
import select
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator


class Places:
    """First come, first served. A client that hangs up stops waiting at once."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting: deque[socket.socket] = deque()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def take(self, client: socket.socket, when_waiting: Callable[[], None]) -> Iterator[bool]:
        """Yields True while a place is held, False if the client hung up before its turn."""
        got = self._get(client, when_waiting)
        try:
            yield got
        finally:
            if got:
                self._give_back()

    def _get(self, client: socket.socket, when_waiting: Callable[[], None]) -> bool:
        with self._lock:
            if self._free > 0:
                self._free -= 1
                return True
            turn, mine = socket.socketpair()
            self._waiting.append(mine)
        with turn, mine:
            when_waiting()
            ready, _, _ = select.select([turn, client], [], [])
            with self._lock:
                if mine in self._waiting:
                    self._waiting.remove(mine)
                    return False
            if client in ready and turn not in ready:
                self._give_back()  # its turn came at the moment when it hung up
                return False
            return True

    def _give_back(self) -> None:
        """Pass the place to the client that has waited longest."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().send(b"x")
            else:
                self._free += 1
