"""Pins between the boot services' processes: the one for DHCP informs those for TFTP.

A machine's version is promised on port 67 and fetched on port 69, and the kernel chooses the TFTP
process of a request. So every promise goes to all of them, as one datagram on a Unix socket. If a
socket is full, its process has stopped reading, and the promise is dropped.
"""

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from pydantic_core import from_json, to_json

DATAGRAM = 4096
BUFFER = 1 << 20


class Promise(NamedTuple):
    """A version promised to a machine; with `image` empty, only its address was learned."""

    mac: str
    ip: str
    image: str = ""
    number: int = 0
    firmware: str = ""
    fresh: bool = False


class PinRelay:
    """Made before the processes are forked; each then uses its own end."""

    def __init__(self, processes: int) -> None:
        self._pairs = [
            socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(processes)
        ]
        for sender, receiver in self._pairs:
            for end in (sender, receiver):
                end.setblocking(False)  # noqa: FBT003  # the socket module's own signature
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
                end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)

    def send(self, promise: Promise) -> None:
        """Send a promise to all processes; never waits."""
        data = to_json(promise)
        for sender, _ in self._pairs:
            with suppress(BlockingIOError):
                sender.send(data)

    def fileno(self, process: int) -> int:
        """The descriptor that process number `process` (from 0) watches."""
        return self._pairs[process][1].fileno()

    def receive(self, process: int, take: Callable[[Promise], None]) -> None:
        """Pass everything that has arrived for this process to `take`."""
        receiver = self._pairs[process][1]
        with suppress(BlockingIOError):
            while data := receiver.recv(DATAGRAM):
                take(Promise(*from_json(data)))

    def close(self) -> None:
        for pair in self._pairs:
            for end in pair:
                end.close()
