"""A Windows security catalog (.cat): the digests of the files that it signs.

A catalog is a certificate trust list in PKCS #7 signed data (RFC 2315 §9; Microsoft: "Catalog
Files and Digital Signatures"; CERT_TRUST_LIST in wincrypt.h). Only the digests are read: Windows
checks the signature when it loads the driver.
"""

from collections.abc import Iterator
from typing import NamedTuple

from netboot.errors import FormatError

MAX_BYTES = 16 << 20

_SIGNED_DATA = bytes.fromhex("2a864886f70d010702")  # 1.2.840.113549.1.7.2
_TRUST_LIST = bytes.fromhex("2b0601040182370a01")  # 1.3.6.1.4.1.311.10.1
_INDIRECT_DATA = bytes.fromhex("2b060104018237020104")  # 1.3.6.1.4.1.311.2.1.4

_OCTET_STRING, _OID, _UTC_TIME, _TIME = 0x04, 0x06, 0x17, 0x18
_SEQUENCE, _SET, _CONTENT = 0x30, 0x31, 0xA0


class _Node(NamedTuple):
    """One DER value: its tag, and the place of its content."""

    tag: int
    start: int
    end: int


def members(data: bytes) -> frozenset[bytes]:
    """The digests (SHA-1 or SHA-256) in a catalog file. Raises FormatError if it is not one.

    Those of programs are Authenticode digests, those of other files cover all bytes.
    """
    if len(data) > MAX_BYTES:
        raise FormatError(f"a catalog file larger than {MAX_BYTES >> 20} MiB")
    found: set[bytes] = set()
    for subject in _children(data, _subjects(data)):
        for attributes in _children(data, subject):
            if attributes.tag == _SET:
                found.update(_digests(data, attributes))
    return frozenset(found)


def _subjects(data: bytes) -> _Node:
    """The members of the list."""
    parts = _children(data, _trust_list(data))
    for part in parts:
        if part.tag in {_UTC_TIME, _TIME}:
            break
    # After the date comes an algorithm, then the members; both are sequences.
    sequences = [part for part in parts if part.tag == _SEQUENCE]
    if len(sequences) < 2:
        raise FormatError("a catalog file without members")
    return sequences[1]


def _trust_list(data: bytes) -> _Node:
    outer = _node(data, 0, len(data))
    signed = _content(data, outer, _SIGNED_DATA)
    for part in _children(data, signed):
        if part.tag == _SEQUENCE:
            inner = _content(data, part, _TRUST_LIST)
            # PKCS #7 (RFC 2315 §7) has the list itself here, CMS (RFC 5652 §5.2) an octet string.
            return next(_children(data, inner), inner) if inner.tag == _OCTET_STRING else inner
    raise FormatError("not a catalog file: its signed data is empty")


def _content(data: bytes, node: _Node, kind: bytes) -> _Node:
    """The content of a ContentInfo of this kind."""
    parts = list(_children(data, node))
    if len(parts) < 2 or data[parts[0].start : parts[0].end] != kind or parts[1].tag != _CONTENT:
        raise FormatError("not a catalog file: it contains no trust list")
    inner = next(_children(data, parts[1]), None)
    if inner is None:
        raise FormatError("not a catalog file: it is empty")
    return inner


def _digests(data: bytes, attributes: _Node) -> Iterator[bytes]:
    """The digests in a member's attributes (SpcIndirectDataContent.messageDigest)."""
    for attribute in _children(data, attributes):
        parts = list(_children(data, attribute))
        if len(parts) != 2 or data[parts[0].start : parts[0].end] != _INDIRECT_DATA:
            continue
        for value in _children(data, parts[1]):
            message = list(_children(data, value))[-1:]
            for part in (part for node in message for part in _children(data, node)):
                if part.tag == _OCTET_STRING:
                    yield data[part.start : part.end]


def _children(data: bytes, parent: _Node) -> Iterator[_Node]:
    at = parent.start
    while at < parent.end:
        node = _node(data, at, parent.end)
        yield node
        at = node.end


def _node(data: bytes, at: int, end: int) -> _Node:
    """The value at `at`, which must end at `end` or before (X.690 §8.1, definite lengths)."""
    if at + 2 > end:
        raise FormatError("a truncated catalog file")
    tag, length = data[at], data[at + 1]
    start = at + 2
    if length & 0x80:
        count = length & 0x7F
        if not 1 <= count <= 4 or start + count > end:
            raise FormatError("a catalog file with an impossible length")
        length = int.from_bytes(data[start : start + count])
        start += count
    if start + length > end:
        raise FormatError("a truncated catalog file")
    return _Node(tag, start, start + length)
