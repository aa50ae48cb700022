"""Pins between the boot services' processes: the one for DHCP informs those for TFTP.

A machine's version is promised on port 67 and fetched on port 69, and the kernel chooses which
TFTP process gets a request. So every promise goes to all of them, as one datagram on a Unix
socket. One that is full has a process behind it that does nothing any more; its loss is its own.
"""

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from pydantic_core import from_json, to_json

DATAGRAM = 4096
BUFFER = 1 << 20


class Promise(NamedTuple):
    """What was promised to a machine; with `image` empty, only its address was learned."""

    mac: str
    ip: str
    image: str = ""
    number: int = 0
    firmware: str = ""
    fresh: bool = False


class PinRelay:
    """Made before the processes are; each of them then uses its own end."""

    def __init__(self, processes: int) -> None:
        self._pairs = [
            socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(processes)
        ]
        for sender, receiver in self._pairs:
            for end in (sender, receiver):
                end.setblocking(False)  # noqa: FBT003  # the socket module's own signature
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
                end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)

    def tell(self, promise: Promise) -> None:
        """Tell all processes; never waits."""
        data = to_json(promise)
        for sender, _ in self._pairs:
            with suppress(BlockingIOError):
                sender.send(data)

    def fileno(self, process: int) -> int:
        """What process number `process` (from 0) has to watch."""
        return self._pairs[process][1].fileno()

    def receive(self, process: int, take: Callable[[Promise], None]) -> None:
        """Hand all that has come for this process to `take`."""
        receiver = self._pairs[process][1]
        with suppress(BlockingIOError):
            while data := receiver.recv(DATAGRAM):
                take(Promise(*from_json(data)))

    def close(self) -> None:
        """Close all ends of this process."""
        for pair in self._pairs:
            for end in pair:
                end.close()
