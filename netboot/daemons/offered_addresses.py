"""Addresses that were offered a boot: the DHCP service names them to that of boot files over HTTP.

When all HTTP places are taken, such an address gets one, and keeps it, before any other. One
datagram for each REQUEST on a Unix socket in the data folder. The DHCP service never waits, and
loses nothing where nobody listens: then all addresses are alike.
"""

import os
import socket
import time
from contextlib import suppress
from pathlib import Path

from netboot.serve.udp import Loop

SOCKET = "offered.sock"
HOLDS = 30 * 60.0  # seconds: from the offer to the last file of a boot
KEPT = 10_000
_DATAGRAM = 64
_PER_WAKE = 64


class OfferedTo:
    """The sending end, in the DHCP service."""

    def __init__(self, folder: Path) -> None:
        self._folder = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)

    def add(self, ip: str) -> None:
        with suppress(OSError):  # nobody listens, or does not keep up
            self._socket.sendto(ip.encode("ascii"), _place(self._folder))

    def close(self) -> None:
        self._socket.close()
        os.close(self._folder)


class OfferedAddresses:
    """The receiving end: the addresses of the last half hour, in two generations.

    The older generation is forgotten as a whole, so memory is bounded.
    """

    def __init__(self, loop: Loop, folder: Path) -> None:
        self._young: dict[str, float] = {}
        self._old: dict[str, float] = {}
        self._socket = _listen(folder)
        loop.add_reader(self._socket.fileno(), self._receive)

    def holds(self, ip: str) -> bool:
        """Whether a machine at this address was offered a boot lately."""
        until = self._young.get(ip) or self._old.get(ip, 0.0)
        return time.monotonic() < until

    def _receive(self, now: float) -> None:
        with suppress(BlockingIOError):
            for _ in range(_PER_WAKE):
                ip = self._socket.recv(_DATAGRAM).decode("ascii", "replace")
                if len(self._young) >= KEPT // 2:
                    self._old, self._young = self._young, {}
                self._young[ip] = now + HOLDS


def _place(folder: int) -> str:
    """A path to the socket that is short, however long that of the folder is (unix(7): 108)."""
    return f"/proc/self/fd/{folder}/{SOCKET}"


def _listen(folder: Path) -> socket.socket:
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    place = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(FileNotFoundError):
            os.unlink(SOCKET, dir_fd=place)  # of an earlier process
        receiver.bind(_place(place))
        os.chmod(SOCKET, 0o600, dir_fd=place)
    except OSError:
        receiver.close()
        raise
    finally:
        os.close(place)
    return receiver
