"""The server's transfer ports (TIDs): shared sockets for new clients, then one for each client.

A client that has not answered yet is served from a pool of shared sockets, so that a flood of
forged requests costs no descriptors. With its first ACK the client gets a connected socket on the
same port: the kernel then sorts its packets, and whole windows can leave in one call.
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

IP_PKTINFO = 8  # neither is in Python 3.11's socket module
IP_MTU = 14
_IP_MTU_DISCOVER = 10
_IP_PMTUDISC_DONT = 0
_PACKETS_PER_WAKE = 64
_LONGEST = 512
_PKTINFO = struct.Struct("=i4s4s")


@dataclass(frozen=True, slots=True)
class Arrival:
    """A datagram, its sender, and our address that received it (`to`, empty if unknown).

    `broadcast`: it was not sent to us alone.
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
    """The shared sockets; `connect` opens a client's own socket on the port of one of them."""

    def __init__(
        self, loop: Loop, *, address: str, interface: str, ports: int, receive: Receive
    ) -> None:
        self._loop = loop
        self._interface = interface
        self._receive = receive
        self._sockets = [self._open(index, address) for index in range(ports)]

    def pick(self) -> int:
        """A random socket: an attacker who cannot see our packets has to guess its port."""
        return random.randrange(len(self._sockets))  # noqa: S311 - a port, not a key

    def send(
        self, index: int, parts: Sequence["bytes | memoryview"], *, peer: Peer, to: str
    ) -> None:
        """One datagram from the address that the client asked; lost if it cannot be sent."""
        info = _PKTINFO.pack(0, socket.inet_aton(to), b"\0\0\0\0") if to else b""
        ancillary = [(socket.IPPROTO_IP, IP_PKTINFO, info)] if info else []
        with contextlib.suppress(OSError):  # unreachable, or buffer full: the same as a loss
            self._sockets[index].sendmsg(parts, ancillary, 0, peer)

    def connect(self, index: int, *, peer: Peer, to: str, now: float) -> socket.socket | None:
        """A socket for a validated client alone; None if the system has no more.

        Between bind and connect the kernel may put other clients' packets into it: they go to
        `receive`, so that none is lost and none is taken for this client's.
        """
        try:
            own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        except OSError:
            return None  # out of descriptors: the pool serves this client to the end
        try:
            if self._interface:
                name = self._interface.encode() + b"\0"
                own.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name)
            allow_fragments(own)
            _bind_to_same_port(own, self._sockets[index], to)
            own.connect(peer)
        except OSError:
            own.close()
            return None
        for packet, sender in _waiting(own):
            self._loop.at(now, partial(self._receive, packet, sender, index))
        return own

    def close(self) -> None:
        """Close the shared sockets; each session closes its own."""
        for shared in self._sockets:
            self._loop.remove_reader(shared.fileno())
            shared.close()

    def _open(self, index: int, address: str) -> socket.socket:
        shared = open_udp(address, 0, interface=self._interface)
        allow_fragments(shared)
        self._loop.add_reader(shared.fileno(), lambda now: self._readable(index, now))
        return shared

    def _readable(self, index: int, now: float) -> None:
        for packet, peer in _waiting(self._sockets[index]):
            self._receive(packet, peer, index, now)


def allow_fragments(udp: socket.socket) -> None:
    """Send without "don't fragment", which Linux sets otherwise (ip(7), IP_MTU_DISCOVER).

    Behind a tunnel whose router keeps its ICMP to itself nobody tells us that our packets are too
    large for it. The size of blocks is agreed by then: only a router can still make them fit.
    """
    udp.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _IP_PMTUDISC_DONT)


def _bind_to_same_port(own: socket.socket, shared: socket.socket, address: str) -> None:
    """Bind a second socket to a port of the pool.

    SO_REUSEADDR is set for this moment only. Otherwise the system could give one of our ports to
    any program that binds to port 0 with SO_REUSEADDR, as busybox's tftp does.
    """
    place = shared.getsockname()
    for udp in (shared, own):
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        own.bind((address or place[0], place[1]))
    finally:
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)


def _waiting(udp: socket.socket) -> Iterator[tuple[bytes, Peer]]:
    """The packets that wait in a socket, up to a limit."""
    with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
        for _ in range(_PACKETS_PER_WAKE):
            yield udp.recvfrom(_LONGEST)


def path_mtu(peer: Peer, *, interface: str = "") -> int:
    """The largest packet to this client without fragments, as the kernel knows it (ip(7))."""
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
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
