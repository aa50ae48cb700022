"""A capture file as frames: pcap and pcapng (gzip too), from a card, a trunk or `tcpdump -i any`.

scapy reads the file; this module removes the headers of each packet, since scapy's full dissection
takes some 200 us a packet and a recorded boot image has a hundred thousand. Any file gives frames
or an InvalidInput that says what is wrong with it. `note` says why the reading ended early.

Link types: https://www.tcpdump.org/linktypes.html; VLAN tags: IEEE 802.1Q.
"""

import gzip
import logging
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, Final

import scapy.error
from scapy.utils import RawPcapNgReader, RawPcapReader

from netboot.errors import InvalidInput
from netboot.formats.pcap import GZIP, HOW_TO_RECORD, PCAP, PCAPNG

MOST_BYTES: Final = 512 << 20
"""No more of a recording is read, counted after unpacking."""

MOST_PACKETS: Final = 2_000_000
UDP, TCP, ICMP = 17, 6, 1
SYN: Final = 2
RST: Final = 4
ACK: Final = 16

_LARGEST_READ: Final = 16 << 20  # a block's length is four bytes of a file that we do not trust
_VLAN_TAGS: Final = frozenset({0x8100, 0x88A8, 0x9100})
_IPV4: Final = 0x0800
_MOST_TAGS: Final = 4

# Offsets of the payload's type, of the payload, and of the sender's MAC address.
_LINKS: Final = MappingProxyType(
    {
        1: (12, 14, 6),  # Ethernet
        113: (14, 16, 6),  # Linux cooked, as by `tcpdump -i any`
        276: (0, 20, 12),  # the same, second edition
    }
)
_RAW_IP: Final = frozenset({12, 14, 101, 228})


@dataclass(frozen=True, slots=True)
class Frame:
    """An IPv4 packet of a recording. `at` is epoch seconds, `mac` the sender on this network.

    `mac` is empty if the recording does not have it; ports and `flags` are 0 if there are none.
    """

    at: float
    mac: str
    source: str
    target: str
    protocol: int
    sport: int
    dport: int
    flags: int
    payload: bytes


class Recording:
    """The frames of a capture file; afterwards `note` says why the reading ended early."""

    def __init__(self, path: Path) -> None:
        logging.getLogger("scapy").setLevel(logging.ERROR)  # `note` has its warnings
        self.path = path
        self.packets = 0
        self.note = ""
        self._unread_links: set[int] = set()

    def frames(self) -> Iterator[Frame]:
        """The recorded frames in order. Raises InvalidInput."""
        try:
            with self.path.open("rb") as file:
                watched = _Watched(_unpacked(file))
                for data, link, at in self._read(watched):
                    self.packets += 1
                    frame = cut(data, link, at)
                    if frame is not None:
                        yield frame
                    elif link not in _LINKS and link not in _RAW_IP:
                        self._unread_links.add(link)
                    if self.packets >= MOST_PACKETS:
                        self.note = f"only the first {MOST_PACKETS:,} packets were read"
                        return
        except OSError as error:
            raise InvalidInput(f"{self.path.name} cannot be read: {error.strerror}") from error
        self._conclude(watched)

    def _read(self, watched: "_Watched") -> Iterator[tuple[bytes, int, float]]:
        magic = watched.peek()
        if magic != PCAPNG and magic not in PCAP:
            raise InvalidInput(self._refusal(watched, magic), hint=HOW_TO_RECORD)
        try:
            kind: Any = _PcapNg if magic == PCAPNG else _Pcap
            reader = kind(watched)
            for data, about in reader:
                yield data, *_facts(reader, about)
        except (scapy.error.Scapy_Exception, struct.error, ValueError, OverflowError) as error:
            raise InvalidInput(
                f"{self.path.name} is not a valid capture file: {error}", hint=HOW_TO_RECORD
            ) from error

    def _refusal(self, watched: "_Watched", magic: bytes) -> str:
        if watched.broken:
            return f"{self.path.name} cannot be unpacked: its gzip data is damaged or incomplete"
        if not magic:
            return f"{self.path.name} is empty"
        return f"{self.path.name} is not a capture file: it is neither pcap nor pcapng"

    def _conclude(self, watched: "_Watched") -> None:
        if self._unread_links:
            links = ", ".join(str(one) for one in sorted(self._unread_links)[:5])
            self.note = f"packets of link type {links} are left out: only Ethernet can be read"
        if watched.full:
            self.note = f"only the first {MOST_BYTES >> 20} MiB were read"
        elif watched.cut or watched.broken:
            self.note = (
                "the recording ends in the middle of a packet: it is incomplete or damaged, or was"
                " copied while it was written; the end of the boot is missing"
            )


def _facts(reader: Any, about: Any) -> tuple[int, float]:
    """Link type and time of a packet, from either format."""
    if isinstance(reader, RawPcapNgReader):
        ticks = ((about.tshigh or 0) << 32) + (about.tslow or 0)
        return int(about.linktype), ticks / (about.tsresol or 1_000_000)
    return int(reader.linktype), about.sec + about.usec / (1e9 if reader.nano else 1e6)


def cut(data: bytes, link: int, at: float) -> Frame | None:
    """The IPv4 packet in a frame of this link type; None for anything else or a damaged one."""
    mac = ""
    start = 0
    if link in _LINKS:
        kind_at, start, mac_at = _LINKS[link]
        if len(data) < start:
            return None
        mac = data[mac_at : mac_at + 6].hex(":")
        kind = int.from_bytes(data[kind_at : kind_at + 2], "big")
        for _ in range(_MOST_TAGS):
            if kind not in _VLAN_TAGS:
                break
            kind = int.from_bytes(data[start + 2 : start + 4], "big")
            start += 4
        if kind != _IPV4:
            return None
    elif link not in _RAW_IP:
        return None
    return _ipv4(data[start:], mac, at)


def _ipv4(data: bytes, mac: str, at: float) -> Frame | None:
    if len(data) < 20 or data[0] >> 4 != 4:
        return None
    header = (data[0] & 15) * 4
    size, protocol = int.from_bytes(data[2:4], "big"), data[9]
    later_fragment = int.from_bytes(data[6:8], "big") & 0x1FFF
    inner = data[header : size or None]  # 0: the card was to fill it in (segmentation offload)
    if header < 20 or later_fragment:
        return None
    sport = dport = flags = 0
    if protocol == UDP and len(inner) >= 8:
        sport, dport = struct.unpack_from(">HH", inner)
        inner = inner[8:]
    elif protocol == TCP and len(inner) >= 20:
        sport, dport = struct.unpack_from(">HH", inner)
        flags = inner[13]
        inner = inner[(inner[12] >> 4) * 4 :]
    elif protocol != ICMP:
        return None
    source, target = (".".join(map(str, data[place : place + 4])) for place in (12, 16))
    return Frame(at, mac, source, target, protocol, sport, dport, flags, inner)


def _unpacked(file: IO[bytes]) -> IO[bytes]:
    magic = file.read(2)
    file.seek(0)
    return gzip.GzipFile(fileobj=file) if magic == GZIP else file  # type: ignore[return-value]


class _Watched:
    """A file that records how its reading ends: `cut` in the middle, `full`, or `broken`."""

    name = "capture"

    def __init__(self, file: IO[bytes]) -> None:
        self.cut = self.full = self.broken = False
        self.taken = 0
        self._file = file
        self._ahead = b""

    def peek(self) -> bytes:
        """The first four bytes, without consuming them."""
        self._ahead = self.read(4)
        self.taken = 0
        self.cut = False
        return self._ahead

    def read(self, size: int) -> bytes:
        """At most `size` bytes; fewer at the end."""
        ahead, self._ahead = self._ahead[:size], self._ahead[size:]
        wanted = min(size - len(ahead), _LARGEST_READ)
        if self.taken >= MOST_BYTES:
            self.full = True
            return b""
        try:
            data = ahead + (self._file.read(wanted) if wanted else b"")
        except (OSError, EOFError, zlib.error):
            self.broken = True
            return b""
        self.cut = self.cut or 0 < len(data) < size
        self.taken += len(data)
        return data

    def close(self) -> None:
        """The opener closes the file."""


class _Pcap(RawPcapReader):
    """scapy's reader takes an incomplete packet for a whole one."""

    f: Any  # a _Watched

    def _read_packet(self, size: int = 0xFFFF) -> Any:
        before = self.f.taken
        data, about = super()._read_packet(size)
        if self.f.taken - before < 16 + about.caplen:
            self.f.cut = True
        return data, about


class _PcapNg(RawPcapNgReader):
    """scapy's reader ends silently in the middle of a block."""

    f: Any  # a _Watched

    def _read_block(self, size: int = 0xFFFF) -> Any:
        before = self.f.taken
        try:
            return super()._read_block(size)
        except EOFError:
            self.f.cut = self.f.cut or self.f.taken > before
            raise
