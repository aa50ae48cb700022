"""boot.sdi: the small disk image that Windows' boot manager mounts a RAM disk with.

A frame around one NTFS volume: header, table of contents at 0x400, the volume at 0x2000, and an
empty entry where the WIM is to follow. Decoded from a real file; our header for its volume is
the same byte for byte. Whether Windows boots with a volume that Microsoft did not make is
unproven, so an image's own boot.sdi always comes first.
"""

import struct
from dataclasses import dataclass

from netboot.errors import FormatError

SIGNATURE = b"$SDI0001"
_HEADER_SIZE = 0x200
_TABLE = 0x400
_VOLUME = 0x2000
_PAGE = 0x1000
_CHECKSUM = 0x1F8
_ENTRY = struct.Struct("<8sQQQQQQQ")
_NTFS = 7
"""The partition type of NTFS, as in a partition table."""


@dataclass(frozen=True, slots=True)
class Sdi:
    """Where the volume lies in a boot.sdi: offset and size in bytes."""

    volume_offset: int
    volume_size: int


def build_sdi(volume: bytes) -> bytes:
    """A boot.sdi around this volume."""
    end = (_VOLUME + len(volume) + _PAGE - 1) // _PAGE * _PAGE
    head = bytearray(_VOLUME)
    head[:8] = SIGNATURE
    struct.pack_into("<Q", head, 0x70, 2)
    _ENTRY.pack_into(head, _TABLE, b"PART", 0, _VOLUME, len(volume), _NTFS, 0, 0, 0)
    _ENTRY.pack_into(head, _TABLE + _ENTRY.size, b"WIM", 0, end, 0, 0, 0, 0, 0)
    # The first 512 bytes add up to 0 modulo 256.
    head[_CHECKSUM] = -sum(head[:_HEADER_SIZE]) & 0xFF
    return bytes(head) + volume.ljust(end - _VOLUME, b"\0")


def parse_sdi(data: bytes) -> Sdi:
    """Check a boot.sdi and find its volume. Raises FormatError."""
    if data[:8] != SIGNATURE or len(data) < _VOLUME:
        raise FormatError("not a boot.sdi file (it does not start with $SDI0001)")
    if sum(data[:_HEADER_SIZE]) & 0xFF:
        raise FormatError("the checksum of this boot.sdi file is wrong")
    for place in range(_TABLE, _TABLE + 8 * _ENTRY.size, _ENTRY.size):
        kind, _attributes, offset, size, *_rest = _ENTRY.unpack_from(data, place)
        if kind.rstrip(b"\0") == b"PART":
            if not size or offset + size > len(data):
                raise FormatError("the volume of this boot.sdi file is outside the file")
            return Sdi(offset, size)
    raise FormatError("this boot.sdi file contains no volume")
