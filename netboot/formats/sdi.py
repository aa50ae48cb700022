"""boot.sdi: the small disk image from which Windows' boot manager creates a RAM disk.

It wraps an NTFS volume: header, table of contents at 0x400, volume at 0x2000, and an empty entry
for the WIM that follows. No document describes it: the fields are from a real file of 3,170,304
bytes, whose header `build_sdi` reproduces byte for byte. Windows is not known to boot with a
volume that Microsoft did not make, so an image's own boot.sdi takes precedence.
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
_NTFS = 7  # as in a partition table


@dataclass(frozen=True, slots=True)
class Sdi:
    """The place of the volume in a boot.sdi, in bytes."""

    volume_offset: int
    volume_size: int


def build_sdi(volume: bytes) -> bytes:
    end = (_VOLUME + len(volume) + _PAGE - 1) // _PAGE * _PAGE
    head = bytearray(_VOLUME)
    head[:8] = SIGNATURE
    struct.pack_into("<Q", head, 0x70, 2)
    _ENTRY.pack_into(head, _TABLE, b"PART", 0, _VOLUME, len(volume), _NTFS, 0, 0, 0)
    _ENTRY.pack_into(head, _TABLE + _ENTRY.size, b"WIM", 0, end, 0, 0, 0, 0, 0)
    # The checksum makes the first 512 bytes add up to 0 modulo 256.
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
