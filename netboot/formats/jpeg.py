"""Just enough JPEG to recognise a file and its size.

Reference: ITU-T T.81, annex B (markers, frame header).
"""

from netboot.errors import FormatError

_START = b"\xff\xd8"
# SOF0 to SOF15: C4, C8 and CC are DHT, JPG and DAC instead.
_FRAMES = frozenset(
    {*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)}
)
# TEM, RST0 to RST7 and SOI have no length after them (T.81, table B.1).
_NO_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})
_SCAN, _FILL = 0xDA, 0xFF


def picture_size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels. Raises FormatError if it is not a JPEG picture."""
    if data[:2] != _START:
        raise FormatError("not a JPEG file")
    at = 2
    while at + 4 <= len(data) and data[at] == _FILL:
        marker = data[at + 1]
        if marker == _FILL or marker in _NO_LENGTH:
            at += 1 if marker == _FILL else 2
            continue
        length = int.from_bytes(data[at + 2 : at + 4])
        if marker in _FRAMES and at + 9 <= len(data):
            height, width = (int.from_bytes(data[at + n : at + n + 2]) for n in (5, 7))
            if width and height:
                return width, height
        if marker == _SCAN or length < 2:
            break
        at += 2 + length
    raise FormatError("the JPEG file is damaged: it has no size")
