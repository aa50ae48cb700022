"""The boot port's HTTP server: HTTP/1.1 on the daemons' own loop, file bytes by sendfile.

It is our own because a boot port has other needs than a web application: thousands of small
responses a second from one process, no threads to exhaust, hard limits on unknown clients, and
strict framing. It serves an `Answer` and knows no pages or sessions.

When all places are taken, a new connection gets that of one that stands still, waits for its next
request, or else is the slowest. So clients that send or read next to nothing, from however many
addresses, keep nobody out, and a slow machine loses its place after all slower ones. Addresses that
were offered a boot come first: they get a place, and none of theirs goes to one that was not.
"""

import errno
import heapq
import socket
import time
from collections.abc import Callable
from functools import partial

from netboot.boot.told.ladder import STOPPED
from netboot.serve.http.connection import Connection, State
from netboot.serve.http.limits import HttpLimits
from netboot.serve.http.message import Answer
from netboot.serve.tftp.tid_pool import raise_descriptor_limit
from netboot.serve.udp import Loop, explain_bind

_ACCEPTS_PER_WAKE = 8  # few: closed connections make room before the next are counted
_BACKLOG = 1024
_REST = 0.5  # seconds
_LEAVERS = 32  # places that are found free in one look at all connections
_LEAVERS_HOLD = 0.25  # seconds


class HttpServer:
    """Serves one `answer` on one port of some addresses until the loop ends.

    All addresses share the places; a request says at which one it came in.
    """

    def __init__(
        self,
        *,
        loop: Loop,
        port: int,
        answer: Answer,
        address: str | None = None,
        limits: HttpLimits | None = None,
        reuse_port: bool = False,
        is_preferred: Callable[[str], bool] = lambda _ip: False,
    ) -> None:
        """Listen, if there is an address yet. Raises PortTaken, NotPermitted or InvalidInput."""
        self._loop = loop
        self._is_preferred = is_preferred
        self._answer = answer
        self._limits = limits or HttpLimits()
        self._connections: set[Connection] = set()
        self._per_source: dict[str, int] = {}
        self._leavers: list[Connection] = []  # who gives up a place next, last first
        self._leavers_until = 0.0
        self._drained: Callable[[], None] | None = None
        raise_descriptor_limit()
        self._port, self._reuse_port = port, reuse_port
        self._listeners: dict[str, socket.socket] = {}
        if address is not None:
            self.listen(address)
        loop.every(1.0, self._close_late)

    @property
    def port(self) -> int:
        """The port that we listen on, also if the system chose it."""
        return next((int(one.getsockname()[1]) for one in self._listeners.values()), self._port)

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses that we listen on."""
        return tuple(self._listeners)

    def listen(self, address: str) -> None:
        """Listen on one more address. Raises PortTaken, NotPermitted or InvalidInput."""
        listener = open_tcp(address, self._port, reuse_port=self._reuse_port)
        self._listeners[address] = listener
        self._loop.add_reader(listener.fileno(), partial(self._accept, address))

    def stop_listening(self, address: str) -> None:
        """Accept no more connections on this address; those that are open go on."""
        listener = self._listeners.pop(address, None)
        if listener is not None:
            self._loop.remove_reader(listener.fileno())
            listener.close()

    @property
    def connections(self) -> int:
        """Connections open now."""
        return len(self._connections)

    def drain(self, done: Callable[[], None]) -> None:
        """Accept no more requests, finish the responses being sent, then call `done`.

        After the limits' `drain_time` the rest is cut off.
        """
        self._stop_listening()
        self._drained = done
        for connection in list(self._connections):
            connection.close_when_idle()
        self._call_if_drained()
        self._loop.at(time.monotonic() + self._limits.drain_time, lambda _: self.close())

    def close(self) -> None:
        self._stop_listening()
        for connection in list(self._connections):
            connection.close(STOPPED)
        self._call_if_drained()

    def _stop_listening(self) -> None:
        for address in self.addresses:
            self.stop_listening(address)

    def _accept(self, address: str, now: float) -> None:
        listener = self._listeners[address]
        for _ in range(_ACCEPTS_PER_WAKE):
            try:
                accepted, (ip, _) = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS}:
                    raise
                self._rest(address, now)
                return
            self._welcome(accepted, ip, address, now)

    def _rest(self, address: str, now: float) -> None:
        """The system has no more sockets: accept none for a while."""
        listener = self._listeners[address]
        self._loop.remove_reader(listener.fileno())

        def again(_: float) -> None:
            if self._listeners.get(address) is listener:
                self._loop.add_reader(listener.fileno(), partial(self._accept, address))

        self._loop.at(now + _REST, again)

    def _welcome(self, accepted: socket.socket, ip: str, address: str, now: float) -> None:
        held = self._per_source.get(ip, 0)
        if held >= self._limits.connections_per_source or not self._make_room(ip, now):
            accepted.close()
            return
        accepted.settimeout(0)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._per_source[ip] = held + 1
        self._connections.add(
            Connection(
                accepted=accepted,
                ip=ip,
                to=address,
                loop=self._loop,
                answer=self._answer,
                limits=self._limits,
                ended=self._ended,
                now=now,
            )
        )

    def _make_room(self, ip: str, now: float) -> bool:
        """Whether one more connection fits, if need be instead of another."""
        if len(self._connections) < self._limits.connections:
            return True
        leaver = self._leaver(now)
        if leaver is None or (self._is_preferred(leaver.ip) and not self._is_preferred(ip)):
            return False
        leaver.close("its place was given to another machine")
        return True

    def _leaver(self, now: float) -> Connection | None:
        """Who gives up a place next. One look at all of them finds several."""
        if now >= self._leavers_until:
            self._leavers.clear()
        while self._leavers:
            leaver = self._leavers.pop()
            if leaver.state is not State.CLOSED:
                return leaver
        few = max(1, min(_LEAVERS, len(self._connections) // 8))
        least = heapq.nsmallest(
            few, self._connections, key=lambda one: (self._is_preferred(one.ip), one.worth(now))
        )
        self._leavers = least[::-1]
        self._leavers_until = now + _LEAVERS_HOLD
        return self._leavers.pop() if self._leavers else None

    def _ended(self, connection: Connection) -> None:
        self._connections.discard(connection)
        left = self._per_source[connection.ip] - 1
        if left:
            self._per_source[connection.ip] = left
        else:
            del self._per_source[connection.ip]
        self._call_if_drained()

    def _call_if_drained(self) -> None:
        if self._drained is not None and not self._connections:
            done, self._drained = self._drained, None
            done()

    def _close_late(self, now: float) -> None:
        for connection in [c for c in self._connections if c.deadline <= now]:
            connection.close(f"the machine took no data for {self._limits.stall_time:.0f} s")
        for connection in self._connections:
            connection.tell_running(now)
        if 2 * len(self._connections) > self._limits.connections:
            for connection in self._connections:
                connection.sample(now)


def open_tcp(address: str, port: int, *, reuse_port: bool = False) -> socket.socket:
    """A listening, non-blocking IPv4 socket. Raises PortTaken, NotPermitted or InvalidInput."""
    tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        tcp.bind((address, port))
        tcp.listen(_BACKLOG)
    except OSError as error:
        tcp.close()
        raise explain_bind(error, address, port, protocol="tcp") from error
    return tcp
