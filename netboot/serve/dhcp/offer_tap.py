"""Sees what other DHCP servers broadcast to clients, without occupying port 68.

A packet socket with a filter in the kernel: UDP to the client port, nothing else. It sees
incoming packets only: Linux shows outgoing ones to sockets for every protocol (ETH_P_ALL) alone.
Needs CAP_NET_RAW.
"""

import ctypes
import socket
import struct
from collections.abc import Callable

from netboot.errors import InvalidInput, NotPermitted
from netboot.serve.udp import Loop

_ETH_P_IP = 0x0800
_SO_ATTACH_FILTER = 26
_PACKETS_PER_WAKE = 32
_LARGEST = 2048

# Classic BPF over an IP packet: protocol UDP, not a later fragment, destination port 68.
_FILTER = (
    (0x30, 0, 0, 9),  # ldb [9]
    (0x15, 0, 6, 17),  # jeq #17, else drop
    (0x28, 0, 0, 6),  # ldh [6]
    (0x45, 4, 0, 0x1FFF),  # jset #0x1fff, drop
    (0xB1, 0, 0, 0),  # ldxb 4*([0]&0xf)
    (0x48, 0, 0, 2),  # ldh [x + 2]
    (0x15, 0, 1, 68),  # jeq #68, else drop
    (0x06, 0, 0, 0xFFFF),  # ret the packet
    (0x06, 0, 0, 0),  # drop
)


class OfferTap:
    """Calls `heard(payload, source, now)` for each datagram to the DHCP client port."""

    def __init__(
        self, *, loop: Loop, interface: str, heard: Callable[[bytes, str, float], None]
    ) -> None:
        """Listen. Raises NotPermitted without CAP_NET_RAW, InvalidInput for a wrong interface."""
        self._loop = loop
        self._heard = heard
        self._socket = _open(interface)
        loop.add_reader(self._socket.fileno(), self._ready)

    def close(self) -> None:
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()

    def _ready(self, now: float) -> None:
        for _ in range(_PACKETS_PER_WAKE):
            try:
                packet = self._socket.recv(_LARGEST)
            except BlockingIOError:
                return
            found = _datagram(packet)
            if found is not None:
                self._heard(found[1], found[0], now)


def _open(interface: str) -> socket.socket:
    try:
        tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, 0)
    except PermissionError as error:
        raise NotPermitted(
            "the system does not allow receiving the offers of other servers",
            hint="Grant CAP_NET_RAW, as the unit netboot-boot does, or run as root.",
        ) from error
    try:
        _attach_filter(tap)
        tap.bind((interface, _ETH_P_IP))
    except OSError as error:
        tap.close()
        raise InvalidInput(f"cannot listen on interface {interface!r}: {error}") from error
    return tap


def _attach_filter(tap: socket.socket) -> None:
    """Before bind: a packet socket of protocol 0 receives nothing until it is bound (packet(7))."""
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in _FILTER)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("@HP", len(_FILTER), ctypes.addressof(buffer))
    tap.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)


def _datagram(packet: bytes) -> tuple[str, bytes] | None:
    """Source address and payload of an unfragmented UDP packet."""
    header = (packet[0] & 0x0F) * 4
    if len(packet) < header + 8:
        return None
    size = struct.unpack_from(">H", packet, header + 4)[0]
    payload = packet[header + 8 : header + size]
    return socket.inet_ntoa(packet[12:16]), payload
