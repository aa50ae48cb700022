"""Recognises recordings of a network by their first bytes: pcap and pcapng, plain or in gzip.

https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-05.html and draft-ietf-opsawg-pcapng on the
same site. Either byte order is valid.
"""

from typing import Final

GZIP: Final = b"\x1f\x8b"
PCAPNG: Final = bytes.fromhex("0a0d0d0a")
PCAP: Final = frozenset(
    bytes.fromhex(magic)
    for magic in ("a1b2c3d4", "d4c3b2a1", "a1b23c4d", "4d3cb2a1")  # micro- and nanoseconds
)
HOW_TO_RECORD: Final = (
    "Record one with `tcpdump -w boot.pcap`, or save it in Wireshark as pcap or pcapng."
)


def may_be_recording(head: bytes) -> bool:
    """Whether a file that begins with `head` may be a recording; gzip may contain anything."""
    return head[:4] == PCAPNG or head[:4] in PCAP or head[:2] == GZIP
