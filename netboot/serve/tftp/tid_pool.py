"""The server's transfer ports (TIDs): a few sockets for strangers, one of its own for each client.

A client that has not answered yet is served from a pool of sockets that all strangers share, so
that a flood of forged requests costs no descriptors. With its first ACK the client gets a
connected socket on the same port: the kernel then sorts its packets out for us, and whole windows
can leave in one call.
"""

import contextlib
import random
import resource
import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from netboot.serve.udp import Loop, open_udp

Peer = tuple[str, int]
Receive = Callable[[bytes, Peer, int, float], None]
"""Called with packet, sender, index of the pool's socket, and time."""

IP_PKTINFO = 8
IP_MTU = 14
_PACKETS_PER_WAKE = 64
_LONGEST = 512
_PKTINFO = struct.Struct("=i4s4s")


@dataclass(frozen=True, slots=True)
class Arrival:
    """A datagram with both its ends.

    `to` is our own address that it was sent to, empty if unknown; `broadcast` says that it was
    not sent to us alone.
    """

    packet: bytes
    peer: Peer
    to: str
    broadcast: bool


def receive_with_destination(udp: socket.socket, longest: int) -> Arrival:
    """One datagram from a socket with IP_PKTINFO set. Raises BlockingIOError when none waits."""
    packet, ancillary, _, peer = udp.recvmsg(longest, socket.CMSG_SPACE(_PKTINFO.size))
    for level, kind, data in ancillary:
        if level == socket.IPPROTO_IP and kind == IP_PKTINFO:
            _, ours, destination = _PKTINFO.unpack(data[: _PKTINFO.size])
            return Arrival(packet, peer, socket.inet_ntoa(ours), ours != destination)
    return Arrival(packet, peer, "", broadcast=False)


class TidPool:
    """The shared sockets, and the way from one of them to a client's own."""

    def __init__(
        self, loop: Loop, *, address: str, interface: str, ports: int, receive: Receive
    ) -> None:
        self._loop = loop
        self._interface = interface
        self._receive = receive
        self._sockets = [self._open(index, address) for index in range(ports)]

    def pick(self) -> int:
        """Any of the pool's sockets: an attacker who cannot see our packets has to guess."""
        return random.randrange(len(self._sockets))  # noqa: S311 - a port, not a key

    def send(
        self, index: int, parts: Sequence["bytes | memoryview"], *, peer: Peer, to: str
    ) -> None:
        """One datagram to a stranger, from the address that he asked. Lost if it cannot go."""
        info = _PKTINFO.pack(0, socket.inet_aton(to), b"\0\0\0\0") if to else b""
        ancillary = [(socket.IPPROTO_IP, IP_PKTINFO, info)] if info else []
        with contextlib.suppress(OSError):  # unreachable, or full: as good as lost on the way
            self._sockets[index].sendmsg(parts, ancillary, 0, peer)

    def connect(self, index: int, *, peer: Peer, to: str, now: float) -> socket.socket | None:
        """A socket of its own for a client that has answered; None when we have no more.

        Between bind and connect the kernel may give us other clients' packets: they are handed
        on, so that none is lost and none is taken for this client's.
        """
        try:
            own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        except OSError:
            return None  # out of descriptors: the pool serves him to the end
        try:
            if self._interface:
                name = self._interface.encode() + b"\0"
                own.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name)
            _bind_beside(own, self._sockets[index], to)
            own.connect(peer)
        except OSError:
            own.close()
            return None
        for packet, sender in _waiting(own):
            self._loop.at(now, partial(self._receive, packet, sender, index))
        return own

    def close(self) -> None:
        """Close the shared sockets; the clients' own are their sessions'."""
        for shared in self._sockets:
            self._loop.remove_reader(shared.fileno())
            shared.close()

    def _open(self, index: int, address: str) -> socket.socket:
        shared = open_udp(address, 0, interface=self._interface)
        self._loop.add_reader(shared.fileno(), lambda now: self._readable(index, now))
        return shared

    def _readable(self, index: int, now: float) -> None:
        for packet, peer in _waiting(self._sockets[index]):
            self._receive(packet, peer, index, now)


def _bind_beside(own: socket.socket, shared: socket.socket, address: str) -> None:
    """Bind a second socket to a port of the pool.

    The port may be shared in this moment only. Otherwise any program of this machine that asks
    for "some port" and for SO_REUSEADDR, as busybox's tftp does, could be given one of ours.
    """
    place = shared.getsockname()
    for udp in (shared, own):
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        own.bind((address or place[0], place[1]))
    finally:
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)


def _waiting(udp: socket.socket) -> Iterator[tuple[bytes, Peer]]:
    """The packets that wait in a socket, but not more than our share of the loop."""
    with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
        for _ in range(_PACKETS_PER_WAKE):
            yield udp.recvfrom(_LONGEST)


def path_mtu(peer: Peer, *, interface: str = "") -> int:
    """The largest packet that goes to this client whole, as far as the kernel knows."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            if interface:
                probe.setsockopt(
                    socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0"
                )
            probe.connect(peer)
            return probe.getsockopt(socket.IPPROTO_IP, IP_MTU)
        except OSError:
            return 1500


def raise_descriptor_limit() -> None:
    """Let this process have as many open sockets as the system lets it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
