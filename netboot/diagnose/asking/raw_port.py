"""Shares the DHCP client port with the program that has it.

A raw socket gets a copy of every UDP packet that comes in, whichever program has its port, and
sends packets from any port. So a check works on a host that gets its own address by DHCP, without
disturbing the DHCP client there. Needs CAP_NET_RAW.
"""

import socket
import struct
from typing import Final

from scapy.layers.inet import IP, UDP

_BUFFER: Final = 1 << 20
_UDP_HEADER: Final = struct.Struct(">HHH2x")
_IP_SIZE: Final = 20  # of the header that scapy writes


class RawPort:
    """Port `port` of `interface`, where this host has `address`; used like a socket."""

    def __init__(self, interface: str, address: str, port: int) -> None:
        """Raises OSError."""
        self._address = address
        self._port = port
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        self._socket.setsockopt(
            socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0"
        )

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def sendto(self, data: bytes, to: tuple[str, int]) -> None:
        packet = bytes(IP(src=self._address, dst=to[0]) / UDP(sport=self._port, dport=to[1]) / data)
        self._socket.sendto(packet[_IP_SIZE:], (to[0], 0))

    def recvfrom(self, size: int) -> tuple[bytes, tuple[str, int]]:
        """The next datagram; raises BlockingIOError if it is not for our port."""
        packet, (source, _) = self._socket.recvfrom(size)
        start = (packet[0] & 0x0F) * 4
        if len(packet) < start + _UDP_HEADER.size:
            raise BlockingIOError
        port, wanted, length = _UDP_HEADER.unpack_from(packet, start)
        if wanted != self._port:
            raise BlockingIOError
        return packet[start + _UDP_HEADER.size : start + length], (source, port)
