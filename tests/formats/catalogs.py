"""Catalog files (.cat) made by hand: a trust list in PKCS #7, as inf2cat makes them, unsigned."""

from hashlib import sha256

SIGNED_DATA = "1.2.840.113549.1.7.2"
TRUST_LIST = "1.3.6.1.4.1.311.10.1"
CATALOG_LIST = "1.3.6.1.4.1.311.12.1.1"
CATALOG_MEMBER_V2 = "1.3.6.1.4.1.311.12.1.3"
INDIRECT_DATA = "1.3.6.1.4.1.311.2.1.4"
PE_IMAGE = "1.3.6.1.4.1.311.2.1.15"
CAB_DATA = "1.3.6.1.4.1.311.2.1.25"
SHA_1, SHA_256 = "1.3.14.3.2.26", "2.16.840.1.101.3.4.2.1"


def der(tag, *parts):
    body = b"".join(parts)
    size = len(body)
    if size < 128:
        return bytes([tag, size]) + body
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(length)]) + length + body


def sequence(*parts):
    return der(0x30, *parts)


def oid(text):
    first, second, *rest = map(int, text.split("."))
    body = bytearray([first * 40 + second])
    for number in rest:
        digits = [number & 0x7F]
        while number := number >> 7:
            digits.append(0x80 | number & 0x7F)
        body += bytes(reversed(digits))
    return der(0x06, bytes(body))


def member(digest, *, program):
    """One vouched-for file: what it is, and its digest."""
    algorithm = sequence(oid(SHA_1 if len(digest) == 20 else SHA_256), der(0x05))
    if program:
        link = der(0xA0, der(0xA2, der(0x80)))
        data = sequence(oid(PE_IMAGE), sequence(der(0x03, b"\0"), link))
    else:
        data = sequence(oid(CAB_DATA), der(0xA2, der(0x80)))
    attribute = sequence(
        oid(INDIRECT_DATA),
        der(0x31, sequence(data, sequence(algorithm, der(0x04, digest)))),
    )
    return sequence(der(0x04, digest), der(0x31, attribute))


def catalog(*members):
    """The file: PKCS #7 signed data without a signer, holding the trust list."""
    trust_list = sequence(
        sequence(oid(CATALOG_LIST)),
        der(0x04, b"0123456789abcdef"),
        der(0x17, b"260101000000Z"),
        sequence(oid(CATALOG_MEMBER_V2), der(0x05)),
        sequence(*members),
    )
    signed = sequence(
        der(0x02, b"\1"),
        der(0x31),
        sequence(oid(TRUST_LIST), der(0xA0, trust_list)),
        der(0x31),
    )
    return sequence(oid(SIGNED_DATA), der(0xA0, signed))


def authenticode(data, spans):
    """The SHA-256 Authenticode digest: the spans cut out, the file filled up to 8 bytes."""
    kept, at = b"", 0
    for start, length in spans:
        kept += data[at:start]
        at = start + length
    kept += data[at:]
    return sha256(kept + bytes(-len(data) % 8)).digest()
