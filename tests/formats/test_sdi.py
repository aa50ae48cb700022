"""boot.sdi: a frame around a volume."""

import hashlib

import pytest

from netboot.errors import FormatError
from netboot.formats.sdi import Sdi, build_sdi, parse_sdi


def test_a_volume_is_found_again():
    """What was framed is found at its place, the file is whole pages, the checksum is right."""
    volume = bytes(range(256)) * 20
    data = build_sdi(volume)

    assert Sdi(0x2000, len(volume)) == parse_sdi(data)
    assert volume == data[0x2000 : 0x2000 + len(volume)]
    assert len(data) % 0x1000 == 0
    assert sum(data[:512]) % 256 == 0


def test_the_frame_of_a_real_file_is_made():
    """For the size of Microsoft's volume the table says what Microsoft's file says."""
    data = build_sdi(bytes(0x303C00))

    assert len(data) == 0x306000
    assert data[:8] == b"$SDI0001"
    assert data[0x70:0x78] == (2).to_bytes(8, "little")
    part, wim = data[0x400:0x440], data[0x440:0x480]
    words = [int.from_bytes(part[n : n + 8], "little") for n in range(8, 64, 8)]
    assert (part[:8], words) == (b"PART\0\0\0\0", [0, 0x2000, 0x303C00, 7, 0, 0, 0])
    assert (wim[:8], int.from_bytes(wim[16:24], "little")) == (b"WIM\0\0\0\0\0", 0x306000)
    assert hashlib.sha256(data[0x480:0x2000]).digest() == hashlib.sha256(bytes(0x1B80)).digest()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a boot.sdi"),
        (b"$SDI0001", "not a boot.sdi"),
        (build_sdi(b"v" * 5000)[:-4096], "outside"),
        (b"$SDI0001\1" + build_sdi(b"v")[9:], "checksum"),
        (build_sdi(b""), "outside"),
    ],
)
def test_a_wreck_is_refused(data: bytes, reason: str):
    """Another file, a cut one and a changed one are a FormatError."""
    with pytest.raises(FormatError, match=reason):
        parse_sdi(data)
