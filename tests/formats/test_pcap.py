"""How recordings begin."""

import gzip

import pytest

from netboot.formats.pcap import may_be_recording
from tests.captures import reader


@pytest.mark.parametrize("name", reader.captures())
def test_real_recordings_are_known(name: str) -> None:
    """And the same in gzip."""
    data = (reader.FOLDER / f"{name}.pcap").read_bytes()

    assert may_be_recording(data[:4])
    assert may_be_recording(gzip.compress(data)[:4])


@pytest.mark.parametrize(
    "head", [b"\xa1\xb2\xc3\xd4", b"\xa1\xb2\x3c\x4d", b"\x4d\x3c\xb2\xa1", b"\x0a\x0d\x0d\x0a"]
)
def test_either_byte_order_and_resolution_is_known(head: bytes) -> None:
    """Wireshark, tcpdump, and tcpdump on big machines."""
    assert may_be_recording(head)


@pytest.mark.parametrize("head", [b"", b"\xa1\xb2", b"MZ\x90\0", b"PK\3\4", b"%PDF", b"\x89PNG"])
def test_anything_else_is_none(head: bytes) -> None:
    """Also what is too short to tell."""
    assert not may_be_recording(head)
