"""Datagrams out of the captures beside this file, by plain struct: no tool, no scapy."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Datagram:
    """One UDP datagram of a capture; `at` in seconds."""

    at: float
    source: tuple[str, int]
    destination: tuple[str, int]
    payload: bytes


def captures() -> list[str]:
    """The names of all captures, without their ending."""
    return sorted(path.stem for path in FOLDER.glob("*.pcap"))


def datagrams(name: str) -> Iterator[Datagram]:
    """The UDP datagrams of one of our captures, in order."""
    return datagrams_of(FOLDER / f"{name}.pcap")


def datagrams_of(capture: Path) -> Iterator[Datagram]:
    """The UDP datagrams of any capture of Ethernet, in order. Fragments do not occur here."""
    data = capture.read_bytes()
    order = "<" if data[:4] == b"\xd4\xc3\xb2\xa1" else ">"
    position = 24
    while position < len(data):
        seconds, micro, size, _ = struct.unpack_from(f"{order}IIII", data, position)
        frame = data[position + 16 : position + 16 + size]
        position += 16 + size
        if frame[12:14] != b"\x08\x00" or frame[23] != 17:
            continue
        start = 14 + (frame[14] & 15) * 4
        ports = struct.unpack_from(">HHH", frame, start)
        addresses = [".".join(str(byte) for byte in frame[at : at + 4]) for at in (26, 30)]
        yield Datagram(
            seconds + micro / 1e6,
            (addresses[0], ports[0]),
            (addresses[1], ports[1]),
            frame[start + 8 : start + ports[2]],
        )


def dhcp(name: str) -> list[Datagram]:
    """Those datagrams of a capture that are DHCP or PXE boot server traffic."""
    ports = {67, 68, 4011}
    return [
        datagram
        for datagram in datagrams(name)
        if ports & {datagram.source[1], datagram.destination[1]}
    ]
