"""Catalog files of the Lab PE's driver packages: right digests, but no signer.

PKCS #7 signed data with a certificate trust list, as Microsoft's inf2cat writes it before anybody
signs it (RFC 2315 §9; CERT_TRUST_LIST and SPC_INDIRECT_DATA_CONTENT of wincrypt.h).
"""

from collections.abc import Iterable
from hashlib import sha256

_SIGNED_DATA = "1.2.840.113549.1.7.2"
_TRUST_LIST = "1.3.6.1.4.1.311.10.1"
_CATALOG_LIST = "1.3.6.1.4.1.311.12.1.1"
_CATALOG_MEMBER = "1.3.6.1.4.1.311.12.1.3"
_INDIRECT_DATA = "1.3.6.1.4.1.311.2.1.4"
_PLAIN_FILE = "1.3.6.1.4.1.311.2.1.25"
_SHA_256 = "2.16.840.1.101.3.4.2.1"

_INTEGER, _OCTETS, _NULL, _OID, _UTC_TIME = 0x02, 0x04, 0x05, 0x06, 0x17
_SEQUENCE, _SET, _CONTENT = 0x30, 0x31, 0xA0
_MADE = b"260101000000Z"


def write_catalog(files: Iterable[bytes]) -> bytes:
    """A catalog file that lists these files, by the SHA-256 of all their bytes."""
    digests = [sha256(data).digest() for data in files]
    trust_list = _sequence(
        _sequence(_oid(_CATALOG_LIST)),
        _der(_OCTETS, sha256(b"".join(digests)).digest()[:16]),
        _der(_UTC_TIME, _MADE),
        _sequence(_oid(_CATALOG_MEMBER), _der(_NULL)),
        _sequence(*map(_member, digests)),
    )
    signed = _sequence(
        _der(_INTEGER, b"\1"),
        _der(_SET),
        _sequence(_oid(_TRUST_LIST), _der(_CONTENT, trust_list)),
        _der(_SET),
    )
    return _sequence(_oid(_SIGNED_DATA), _der(_CONTENT, signed))


def _member(digest: bytes) -> bytes:
    kind = _sequence(_oid(_PLAIN_FILE), _der(0xA2, _der(0x80)))
    message = _sequence(_sequence(_oid(_SHA_256), _der(_NULL)), _der(_OCTETS, digest))
    attribute = _sequence(_oid(_INDIRECT_DATA), _der(_SET, _sequence(kind, message)))
    return _sequence(_der(_OCTETS, digest), _der(_SET, attribute))


def _sequence(*parts: bytes) -> bytes:
    return _der(_SEQUENCE, *parts)


def _der(tag: int, *parts: bytes) -> bytes:
    """One value (X.690 §8.1.3, definite lengths)."""
    body = b"".join(parts)
    size = len(body)
    if size < 0x80:
        return bytes([tag, size]) + body
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(length)]) + length + body


def _oid(text: str) -> bytes:
    """An object identifier (X.690 §8.19)."""
    first, second, *rest = map(int, text.split("."))
    body = bytearray([first * 40 + second])
    for number in rest:
        digits = [number & 0x7F]
        while number := number >> 7:
            digits.append(0x80 | number & 0x7F)
        body += bytes(reversed(digits))
    return _der(_OID, bytes(body))
