"""Several processes that serve one port; the kernel distributes the clients.

Each worker opens its own sockets with SO_REUSEPORT and has its own loop and its share of the
limits (`TftpLimits.share`, `HttpLimits.share`); only the page cache is shared. TFTP clients are
distributed by their address (`steering`), so that limits for one address hold as in one process.
A worker that dies is replaced; all end with their parent.
"""

import ctypes
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1  # prctl(2)
_SOONEST = 1.0


class Workers:
    """Forked processes, each running `serve(index)` until SIGTERM."""

    def __init__(self, count: int, serve: Callable[[int], None]) -> None:
        """Start `count` workers. Call before any thread is started: they are forked.

        `serve` is called in the child with 0 .. count-1 and returns when it gets SIGTERM.
        """
        self._serve = serve
        self._index: dict[int, int] = {}
        self._started: dict[int, float] = {}
        self._due: dict[int, float] = {}
        for index in range(count):
            self._start(index)

    @property
    def pids(self) -> list[int]:
        """The running workers, in the order of their indexes."""
        return sorted(self._index, key=self._index.__getitem__)

    def check(self, now: float) -> None:
        """Replace workers that have died, each at most once a second; call with `Loop.every`."""
        for pid in list(self._index):
            if os.waitpid(pid, os.WNOHANG)[0]:
                self._due[self._index.pop(pid)] = self._started.pop(pid) + _SOONEST
        for index, when in list(self._due.items()):
            if when <= now:
                try:
                    self._start(index)
                except OSError:  # no memory or processes left: at the next check
                    continue
                del self._due[index]

    def stop(self) -> None:
        """End all workers and wait for them."""
        for pid in self._index:
            os.kill(pid, signal.SIGTERM)
        for pid in list(self._index):
            os.waitpid(pid, 0)
            del self._index[pid], self._started[pid]
        self._due.clear()

    def _start(self, index: int) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            os._exit(self._child(index, parent))
        self._index[pid] = index
        self._started[pid] = time.monotonic()

    def _child(self, index: int, parent: int) -> int:
        """The whole life of a worker; its exit code."""
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            return 0  # the parent ended before prctl could ask for its signal
        try:
            self._serve(index)
        except Exception:  # noqa: BLE001 - this process ends: print why
            traceback.print_exc()
            return 1
        return 0
