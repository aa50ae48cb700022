"""Ethernet frames for tests: made by hand, or out of the captures."""

import struct
from pathlib import Path

CAPTURES = Path(__file__).parents[1] / "captures"


def frame(to: int, source: int, payload: bytes = b"") -> bytes:
    """A frame between made-up addresses, padded to Ethernet's least."""
    body = bytes([2, 0, 0, 0, 0, to]) + bytes([2, 0, 0, 0, 0, source]) + b"\x88\xb5" + payload
    return body.ljust(60, b"\0")


BROADCAST = b"\xff" * 6


def captured(name: str) -> list[bytes]:
    """The frames of a capture, in order."""
    data = (CAPTURES / f"{name}.pcap").read_bytes()
    return read_pcap(data)


def read_pcap(data: bytes) -> list[bytes]:
    """The frames in a little-endian pcap file."""
    assert data[:4] == b"\xd4\xc3\xb2\xa1"
    frames, at = [], 24
    while at < len(data):
        size = struct.unpack_from("<I", data, at + 8)[0]
        frames.append(data[at + 16 : at + 16 + size])
        at += 16 + size
    return frames
