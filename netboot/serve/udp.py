"""One event loop for the daemons, and UDP sockets whose errors name the program in the way.

The loop is epoll and one-shot timers: packets are answered in the order of arrival by plain
function calls, each with the monotonic time of its wake-up.

A round may read everything first and answer afterwards (`after_round`): work of one kind in a row
finds its code and data in the processor's caches, and packets that leave in quick succession wake
their receivers less often.
"""

import errno
import heapq
import os
import select
import socket
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Literal

from netboot.errors import InvalidInput, NotPermitted, PortTaken
from netboot.serve.port_holder import who_holds

Ready = Callable[[float], None]

_EVENTS_PER_WAKE = 16
"""Sockets read before the first answer. The data of a hundred would leave the processor's caches
in between, which costs a tenth (measured)."""

_FAILURES_IN_A_ROW = 100


class Loop:
    """Calls back when a socket can be read or a time has come. Times are `time.monotonic()`."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._readers: dict[int, Ready] = {}
        self._timers: list[tuple[float, int, Ready]] = []
        self._order = count()
        self._stopping = False
        self._failures = 0
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._asked: deque[Ready] = deque()
        self._afterwards: list[Ready] = []
        self.after_round: Callable[[Ready], None] = self._afterwards.append
        """Have `call(now)` called when all ready sockets of this round have been read."""
        self.add_reader(self._bell, self._rung)

    def add_reader(self, fd: int, ready: Ready) -> None:
        """Call `ready(now)` whenever `fd` can be read (level-triggered)."""
        self.add(fd, select.EPOLLIN, ready)

    def add(self, fd: int, events: int, ready: Ready) -> None:
        """Call `ready(now)` on these epoll `events` of `fd`; a second call changes the first."""
        if fd in self._readers:
            self._epoll.modify(fd, events)
        else:
            self._epoll.register(fd, events)
        self._readers[fd] = ready

    def remove_reader(self, fd: int) -> None:
        """Forget `fd`; call before closing it. Unknown descriptors are ignored."""
        if self._readers.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def at(self, when: float, call: Ready) -> None:
        """Call `call(now)` once, at `when`. It cannot be cancelled: check again when called."""
        heapq.heappush(self._timers, (when, next(self._order), call))

    def soon(self, call: Ready) -> None:
        """Call `call(now)` in the next round; from signal handlers and other threads too."""
        self._asked.append(call)
        os.eventfd_write(self._bell, 1)

    def every(self, seconds: float, call: Ready) -> None:
        """Call `call(now)` every `seconds`, not at once."""

        def again(now: float) -> None:
            self.at(now + seconds, again)
            call(now)

        self.at(time.monotonic() + seconds, again)

    def run(self) -> None:
        """Serve until `stop`. A callback that fails prints its traceback and the loop continues.

        Raises the callback's error when 100 fail in a row: then nothing works any more, and the
        supervisor should restart the process.
        """
        poll, readers = self._epoll.poll, self._readers
        now = time.monotonic()
        while not self._stopping:
            ready = poll(self._patience(now), _EVENTS_PER_WAKE)
            now = time.monotonic()
            for fd, _ in ready:
                call = readers.get(fd)
                if call is None:
                    continue  # another callback of this round removed it
                try:
                    call(now)
                except Exception:  # noqa: BLE001 - one bad packet must not end the others
                    self._failed()
                else:
                    self._failures = 0
            if self._timers and self._timers[0][0] <= now:
                self._call_timers(now)
            while self._afterwards:
                self._call_afterwards(now)
        self._stopping = False

    def stop(self) -> None:
        """End `run` after the current callback; from signal handlers and other threads too."""
        self._stopping = True
        os.eventfd_write(self._bell, 1)

    def close(self) -> None:
        """Close the loop's own descriptors; its owner closes the readers' sockets."""
        self._epoll.close()
        os.close(self._bell)

    def _rung(self, now: float) -> None:
        os.eventfd_read(self._bell)
        while self._asked:
            self._guarded(self._asked.popleft(), now)

    def _patience(self, now: float) -> float | None:
        """Seconds until the next timer; None without one. `now` may be a little old."""
        return max(0.0, self._timers[0][0] - now) if self._timers else None

    def _call_timers(self, now: float) -> None:
        timers = self._timers
        while timers and timers[0][0] <= now and not self._stopping:
            self._guarded(heapq.heappop(timers)[2], now)

    def _call_afterwards(self, now: float) -> None:
        calls = self._afterwards.copy()
        self._afterwards.clear()
        for call in calls:
            try:
                call(now)
            except Exception:  # noqa: BLE001 - as above
                self._failed()

    def _guarded(self, call: Ready, now: float) -> None:
        try:
            call(now)
        except Exception:  # noqa: BLE001 - as above
            self._failed()
        else:
            self._failures = 0

    def _failed(self) -> None:
        """Print the error; raise it after too many in a row."""
        self._failures += 1
        if self._failures >= _FAILURES_IN_A_ROW:
            raise  # noqa: PLE0704 - called while an exception is handled
        with suppress(OSError, ValueError):  # a log on a full disk, or without a reader
            traceback.print_exc(file=sys.stderr)


def open_udp(
    address: str,
    port: int,
    *,
    interface: str = "",
    broadcast: bool = False,
    reuse_port: bool = False,
) -> socket.socket:
    """A bound, non-blocking IPv4 socket; `address` "" or "0.0.0.0" is every address.

    Raises PortTaken, which names the other program, NotPermitted or InvalidInput, with hints.
    """
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        if broadcast:
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        if reuse_port:
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if interface:
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
        udp.bind((address, port))
    except OSError as error:
        udp.close()
        raise explain_bind(error, address, port, protocol="udp", interface=interface) from error
    return udp


def explain_bind(
    error: OSError,
    address: str,
    port: int,
    *,
    protocol: Literal["udp", "tcp"],
    interface: str = "",
) -> Exception:
    """The system's refusal to bind as a fault with a hint."""
    place = f"{protocol.upper()} port {port}" + (f" of {address}" if address else "")
    match error.errno:
        case errno.EADDRINUSE:
            holder = who_holds(port, protocol=protocol, address=address)
            hint = "Stop that program, or give netboot another address or port."
            return PortTaken(f"{place} is taken by {holder}", hint=hint)
        case errno.EACCES | errno.EPERM:
            hint = (
                "Run as root, or grant CAP_NET_BIND_SERVICE (and CAP_NET_RAW for an interface), as"
                " the unit netboot-boot does."
            )
            return NotPermitted(f"the system does not allow opening {place}", hint=hint)
        case errno.EADDRNOTAVAIL:
            hint = "`ip -4 address` lists the addresses of this server."
            return InvalidInput(f"this server has no address {address}", hint=hint)
        case errno.ENODEV:
            message = f"there is no network interface {interface!r}"
            return InvalidInput(message, hint="`ip link` lists the interfaces.")
    return error
