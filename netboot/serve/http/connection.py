"""One HTTP/1.1 connection: requests in, answers out, file bytes by sendfile.

RFC 9112. Requests are answered one after the other; pipelined ones wait in the socket. After a
malformed request the connection is closed: the start of the next one is uncertain (RFC 9112
§11.2).
"""

import contextlib
import errno
import fcntl
import os
import select
import socket
import sys
import termios
import time
import traceback
from collections.abc import Callable
from enum import Enum, auto

from netboot.boot.told.ladder import OURS
from netboot.protocols.http_request import MAX_HEAD, RequestFault, RequestHead, from_bytes
from netboot.serve.http.limits import HttpLimits
from netboot.serve.http.message import Answer, FilePart, Request, Response, head_bytes, plain
from netboot.serve.udp import Loop

_RECEIVE = 16 * 1024
_COPIED = 64 * 1024  # bytes up to which one send of head and body costs less than sendfile
_TURN = 1 << 20  # bytes of one file before it is the turn of the other connections
_LINGER = 2.0
_OF_THE_FILE = {errno.EIO, errno.EFAULT, errno.ESTALE}  # of sendfile: the disk's, not the client's
_NEW = 1.0  # seconds in which a connection has no speed yet that says anything
_MOMENT = 0.5  # seconds after which a response counts as a long one
_TOLD_EACH = 60.0  # seconds
_STILL = 1024.0  # bytes a second below which a request stands still
_NEW_SPEED = 16 * 1024.0  # what it counts with meanwhile, bytes a second


class _FileFault(Exception):
    """Our file cannot be sent to its end."""


class State(Enum):
    """The phase of a connection."""

    IDLE = auto()
    HEAD = auto()
    BODY = auto()
    SENDING = auto()
    LINGERING = auto()
    CLOSED = auto()


class Connection:
    """A client's connection, from accept to close."""

    def __init__(
        self,
        *,
        accepted: socket.socket,
        ip: str,
        loop: Loop,
        answer: Answer,
        limits: HttpLimits,
        ended: Callable[["Connection"], None],
        now: float,
        to: str = "",
    ) -> None:
        self.ip = ip
        self._to = to
        self.state = State.IDLE
        self.deadline = now + limits.head_time
        self._socket = accepted
        self._fd = accepted.fileno()
        self._loop = loop
        self._answer = answer
        self._limits = limits
        self._ended = ended
        self._buffer = b""
        self._head: RequestHead | None = None
        self._response: Response | None = None
        self._out: bytes | memoryview = b""
        self._first = self._left = 0
        self._requests = 0
        self._told_at = 0.0
        self._keep_alive = True
        self._close_asked = False
        self._waits_for_room = False
        self._corked = False
        self._started_at = now
        self._moved = 0  # bytes in and out
        self._born = self._sampled_at = now
        self._sampled = 0
        self._speed = -1.0
        loop.add_reader(self._fd, self._readable)

    def sample(self, now: float) -> None:
        """Measure the speed since the last time; the latest second counts half."""
        passed, arrived = now - self._sampled_at, self._arrived()
        if passed <= 0.0:
            return
        speed = max(0, arrived - self._sampled) / passed
        self._speed = speed if self._speed < 0.0 else (self._speed + speed) / 2
        self._sampled_at, self._sampled = now, arrived

    def speed(self, now: float) -> float:
        """Bytes a second that lately reached us or the client."""
        age = now - self._born
        if age < _NEW or self._speed < 0.0:
            speed = self._arrived() / (age + 0.1)
            return max(speed, _NEW_SPEED) if age < _NEW else speed
        return self._speed

    def worth(self, now: float) -> tuple[int, float, float]:
        """How much it deserves its place: less, and it goes before others.

        First who stands still in the middle of a request, then who waits for the next request (no
        harm, a client connects again), then the slower before the faster, of equals the older.
        """
        speed = self.speed(now)
        if self.state is State.LINGERING or (self.state is State.IDLE and self._requests):
            return (1, self.deadline, self._born)
        return (0 if speed < _STILL else 2, speed, self._born)

    def _arrived(self) -> int:
        """Bytes that have arrived, here or there: what waits in the socket has not."""
        if self.state is not State.SENDING:
            return self._moved
        waiting = fcntl.ioctl(self._fd, termios.TIOCOUTQ, b"\0\0\0\0")  # SIOCOUTQ, tcp(7)
        return self._moved - int.from_bytes(waiting, sys.byteorder)

    def tell_running(self, now: float) -> None:
        """Say that a long response is still on its way: without it, we have died."""
        response = self._response
        if response is None or response.running is None or now < self._told_at:
            return
        self._told_at = now + _TOLD_EACH
        response.running(response.length - self._left)

    def close_when_idle(self) -> None:
        """Finish a response that is being sent, then close."""
        self._close_asked = True
        if self.state in {State.IDLE, State.HEAD, State.LINGERING}:
            self.close()

    def close(self, reason: str = "the machine closed the connection") -> None:
        """End it at once. `reason` is for a response of which a part was not sent."""
        if self.state is State.CLOSED:
            return
        self.state = State.CLOSED
        self._loop.remove_reader(self._fd)
        self._socket.close()
        response, self._response = self._response, None
        if response is not None:
            self._out = b""
            response.close()
            if response.broken is not None:
                response.broken(response.length - self._left if self._left else 0, reason)
        self._ended(self)

    def _readable(self, now: float) -> None:
        try:
            received = self._socket.recv(_RECEIVE)
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        if not received:
            self.close()
        elif self.state is not State.LINGERING:
            if self.state is State.IDLE:
                self.state, self.deadline = State.HEAD, now + self._limits.head_time
            self._moved += len(received)
            self._buffer = self._buffer + received if self._buffer else received
            self._proceed(now)

    def _proceed(self, now: float) -> None:
        """Answer the next request, if it is complete."""
        if self.state is not State.HEAD and self.state is not State.BODY:
            return
        try:
            request = self._next_request(now)
        except RequestFault as fault:
            self._keep_alive = False
            self._respond(plain(fault.status, str(fault)), now)
        else:
            if request is not None:
                self._respond(self._answered(request), now)

    def _next_request(self, now: float) -> Request | None:
        """The next request if it is complete. Raises RequestFault."""
        head = self._head
        if head is None:
            head = self._head = self._next_head()
            if head is None:
                return None
            self._admit(head)
            if len(self._buffer) < head.length:
                self.state, self.deadline = State.BODY, now + self._limits.body_time
                if head.fields.get("expect", "").lower() == "100-continue":
                    with contextlib.suppress(OSError):  # the next send reports it
                        self._socket.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        if len(self._buffer) < head.length:
            return None
        body, self._buffer = self._buffer[: head.length], self._buffer[head.length :]
        return Request(head.method, head.path, self.ip, head.query, head.fields, body, self._to)

    def _next_head(self) -> RequestHead | None:
        self._buffer = self._buffer.removeprefix(b"\r\n")  # RFC 9112 §2.2: some send one after POST
        end = self._buffer.find(b"\r\n\r\n", 0, MAX_HEAD)
        if end < 0:
            if len(self._buffer) >= MAX_HEAD:
                raise RequestFault(431, "the head of the request is too large")
            return None
        raw, self._buffer = self._buffer[: end + 4], self._buffer[end + 4 :]
        return from_bytes(raw)

    def _admit(self, head: RequestHead) -> None:
        """Raises RequestFault for an unwanted body before it arrives."""
        self._requests += 1
        self._keep_alive = (
            head.keep_alive
            and not self._close_asked
            and self._requests < self._limits.requests_per_connection
        )
        if head.length and head.method in {"GET", "HEAD"}:
            raise RequestFault(400, f"a {head.method} request with a body")
        if head.length > self._limits.body:
            raise RequestFault(413, f"a body of more than {self._limits.body} bytes")

    def _answered(self, request: Request) -> Response:
        try:
            return self._answer(request)
        except Exception:  # noqa: BLE001 - a bug in one answer must not end other machines' boots
            traceback.print_exc(file=sys.stderr)
            return plain(500, "internal error")

    def _respond(self, response: Response, now: float) -> None:
        head, self._head = self._head, None
        minor = head.minor if head else 1
        raw = head_bytes(response, now=time.time(), keep_alive=self._keep_alive, minor=minor)
        self.state = State.SENDING
        self._response = response
        self._started_at = now
        self._told_at = now + _MOMENT
        self._left = 0
        if head is not None and head.method == "HEAD":
            pass
        elif isinstance(response.body, FilePart):
            if response.length <= _COPIED:
                part = response.body
                raw += part.content.view[part.first : part.first + part.length]
            else:
                self._first, self._left = response.body.first, response.length
                self._cork(on=True)
        elif response.body:
            raw += response.body
        self._out = raw
        self._loop.after_round(self._write)

    def _cork(self, *, on: bool) -> None:
        """Send only full packets while a head and its file need several calls (tcp(7))."""
        self._corked = on
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, on)

    def _write(self, now: float) -> None:
        """Send until done, or the socket is full, or it is the turn of other connections."""
        if self.state is not State.SENDING:
            return  # closed before its turn
        try:
            if self._out:
                sent = self._socket.send(self._out)
                self._moved += sent
                self._out = memoryview(self._out)[sent:] if sent < len(self._out) else b""
            if self._left and not self._out:
                self._send_file()
        except BlockingIOError:
            pass
        except _FileFault as fault:
            self.close(str(fault))
            return
        except OSError as fault:
            self.close(f"the machine cannot be reached any more: {fault.strerror}")
            return
        if self._out or self._left:
            self.deadline = now + self._limits.stall_time
            if not self._waits_for_room:
                self._waits_for_room = True
                self._loop.add(self._fd, select.EPOLLOUT, self._write)
        else:
            self._sent(now)

    def _send_file(self) -> None:
        """Send the next part of the file. Raises OSError, and _FileFault for a fault of ours."""
        assert self._response is not None
        assert isinstance(self._response.body, FilePart)
        source = self._response.body.content.fd
        try:
            sent = os.sendfile(self._fd, source, self._first, min(self._left, _TURN))
        except OSError as fault:
            if fault.errno in _OF_THE_FILE:
                raise _FileFault(f"{OURS}: {fault.strerror}") from fault
            raise
        if sent == 0:
            raise _FileFault(f"{OURS}: the file is shorter than its manifest says")
        self._first += sent
        self._left -= sent
        self._moved += sent

    def _sent(self, now: float) -> None:
        """The kernel has the last byte: report it, then wait for the next request."""
        response, self._response = self._response, None
        if self._corked:
            self._cork(on=False)
        if response is not None:
            response.close()
            if response.sent is not None:
                response.sent(time.monotonic() - self._started_at)
        if self._keep_alive and not self._close_asked:
            self._await_next(now)
        else:
            self._linger(now)

    def _await_next(self, now: float) -> None:
        self._read_again()
        if self._buffer:  # in the loop's next round: a pipeline must not delay other clients
            self.state, self.deadline = State.HEAD, now + self._limits.head_time
            self._loop.at(now, self._proceed)
        else:
            self.state, self.deadline = State.IDLE, now + self._limits.idle_time

    def _read_again(self) -> None:
        if self._waits_for_room:
            self._waits_for_room = False
            self._loop.add_reader(self._fd, self._readable)

    def _linger(self, now: float) -> None:
        """Close our side only: a full close could reset unread data (RFC 9112 §9.6)."""
        self.state, self.deadline = State.LINGERING, now + _LINGER
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        self._read_again()
