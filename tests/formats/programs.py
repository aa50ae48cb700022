"""Windows programs small enough for a test: a header and nothing to run."""

import struct

MACHINES = {"x86": 0x014C, "amd64": 0x8664, "arm64": 0xAA64, "ia64": 0x0200}


def program(machine: str, *, signed: bool = False, payload: bytes = b"") -> bytes:
    """A file with a PE header for `machine` and, if signed, a certificate table at its end."""
    wide = machine != "x86"
    optional = 240 if wide else 224
    head = bytearray(0x80 + 24 + optional)
    head[:2] = b"MZ"
    struct.pack_into("<I", head, 0x3C, 0x80)
    head[0x80:0x84] = b"PE\0\0"
    struct.pack_into("<HHIIIHH", head, 0x84, MACHINES[machine], 0, 0, 0, 0, optional, 0x2022)
    at = 0x80 + 24
    struct.pack_into("<H", head, at, 0x20B if wide else 0x10B)
    count = at + (108 if wide else 92)
    struct.pack_into("<I", head, count, 16)
    body = bytes(payload)
    if signed:
        certificate = struct.pack("<IHH", 24, 0x0200, 2) + b"\x30" * 16
        struct.pack_into("<II", head, count + 4 + 4 * 8, len(head) + len(body), len(certificate))
        body += certificate
    return bytes(head) + body
