"""The WIM header: what is read, what is refused and with which advice."""

import random
import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netboot.errors import FormatError
from netboot.formats.wim.wim import (
    BLOB_ENTRY_SIZE,
    HEADER_SIZE,
    Compression,
    Resource,
    ResourceFlag,
    WimFlag,
    objections,
    parse_blob_table,
    parse_header,
)
from tests.formats.wim.headers import header, resource

FILE_SIZE = 10_000


def test_a_header_is_read_field_by_field():
    """All fields of a bootable LZX WIM come out as they went in."""
    found = parse_header(header(blob_table=resource(500, 50, 60, 0x2)))

    assert (found.version, found.chunk_size, found.guid) == (0x10D00, 32768, b"g" * 16)
    assert (found.part, found.parts, found.image_count, found.boot_index) == (1, 1, 1, 1)
    assert found.blob_table == Resource(500, 50, 60, ResourceFlag.METADATA)
    assert found.flags == WimFlag.LZX | WimFlag.COMPRESSED
    assert found.compression is Compression.LZX
    assert not objections(found, FILE_SIZE)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (0, Compression.NONE),
        (0x20002, Compression.XPRESS),
        (0x40002, Compression.LZX),
        (0x80002, Compression.LZMS),
    ],
)
def test_flags_say_how_it_is_packed(flags: int, expected: Compression):
    """Compression is what the flags say."""
    assert expected is parse_header(header(flags=flags)).compression


@pytest.mark.parametrize(
    ("changes", "reason", "hint", "suspicious"),
    [
        ({"magic": b"WLPWM\0\0\0"}, "pipable", "--not-pipable", False),
        ({"parts": 3}, "part 1 of a split WIM", "join", False),
        ({"part": 2, "parts": 2}, "part 2 of a split WIM", "join", False),
        ({"flags": 0x4000A}, "split WIM", "join", False),
        ({"flags": 0x40042}, "write-in-progress", "finish", False),
        ({"version": 0xE00}, "solid", "--compress=LZX", False),
        ({"flags": 0x80002}, "compressed with LZMS", "--compress=LZX", False),
        ({"chunk_size": 65536}, "65536", "--compress=LZX", False),
        ({"chunk_size": 0}, "chunks are 0", "--compress=LZX", False),
        (
            {"flags": 0x40012},
            "only part",
            "Export",
            False,
        ),
        (
            {"flags": 0x40022},
            "only part",
            "Export",
            False,
        ),
        ({"version": 7}, "unknown", "", True),
        ({"images": 0}, "0 images", "", True),
        ({"images": 1 << 31}, "2147483648 images", "", True),
        ({"boot_index": 2}, "boot index 2", "", True),
        ({"blob_table": resource(9_950)}, "truncated", "upload", False),
        ({"xml": resource(1 << 63)}, "truncated", "upload", False),
        ({"xml": resource(8)}, "overlaps the header", "", True),
        ({"xml": resource(400, 0)}, "missing", "", True),
        ({"xml": resource(400, 100, 17 << 20)}, "16 MiB", "", True),
        ({"xml": resource(400, flags=4)}, "compressed", "", True),
        ({"blob_table": resource(300, 100, 1 << 40)}, "256 MiB", "", True),
        ({"blob_table": resource(flags=4)}, "compressed", "", True),
    ],
)
def test_what_cannot_be_used_is_refused_with_advice(
    changes: dict[str, object],
    reason: str,
    hint: str,
    suspicious: bool,  # noqa: FBT001
):
    """Each unusable form has an objection that says why and, where one can, how to convert."""
    found = objections(parse_header(header(**changes)), FILE_SIZE)  # type: ignore[arg-type]

    matching = [objection for objection in found if reason in objection.reason]
    assert matching, found
    assert hint in matching[0].hint
    assert suspicious is matching[0].suspicious


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a WIM"),
        (b"MZ" * 200, "not a WIM"),
        (b"MSWIM\0\0\0" + bytes(100), "ends inside"),
        (header(header_size=212), "claims 212 bytes"),
    ],
)
def test_what_is_no_wim_says_so(data: bytes, reason: str):
    """A file of another kind is a FormatError with the reason."""
    with pytest.raises(FormatError, match=reason):
        parse_header(data)


@given(st.binary(min_size=HEADER_SIZE - 8, max_size=300), st.integers(0, 1 << 64))
def test_any_bytes_are_read_or_refused(data: bytes, file_size: int):
    """Reading is total: bytes give a header and objections, or a FormatError."""
    try:
        found = parse_header(b"MSWIM\0\0\0" + data)
    except FormatError:
        return
    for objection in objections(found, file_size):
        assert objection.reason


def test_ten_thousand_damaged_headers_are_read_or_refused():
    """Damage to an honest header is never more than a FormatError or an objection."""
    honest, generator = header(), random.Random(5)
    judged = 0
    for _ in range(10_000):
        damaged = bytearray(honest)
        for _ in range(generator.choice((1, 2, 8, 40))):
            damaged[generator.randrange(HEADER_SIZE)] = generator.choice(
                (0, 1, 0x7F, 0x80, 0xFF, generator.randrange(256))
            )
        try:
            judged += bool(objections(parse_header(bytes(damaged)), FILE_SIZE))
        except FormatError:
            judged += 1
    assert judged > 6_000


def blob(offset: int, stored: int) -> bytes:
    return resource(offset, stored) + struct.pack("<HI20s", 1, 2, b"h" * 20)


def test_the_blob_table_is_read():
    """Each line holds a place, a part, a count and a hash."""
    found = parse_blob_table(blob(300, 10) + blob(310, 20), FILE_SIZE)

    assert [(one.resource.offset, one.resource.stored) for one in found] == [(300, 10), (310, 20)]
    assert (found[0].part, found[0].references, found[0].sha1) == (1, 2, b"h" * 20)


@pytest.mark.parametrize(
    "table", [blob(9_999, 2), blob(100, 10), blob(0, 1 << 55), blob(300, 5)[:-1]]
)
def test_a_blob_outside_of_the_file_is_refused(table: bytes):
    """A blob must lie between header and end, and the table must be whole."""
    with pytest.raises(FormatError):
        parse_blob_table(table, FILE_SIZE)


@given(st.lists(st.binary(min_size=BLOB_ENTRY_SIZE, max_size=BLOB_ENTRY_SIZE), max_size=5))
def test_any_blob_table_is_read_or_refused(lines: list[bytes]):
    """Reading a table is total."""
    try:
        found = parse_blob_table(b"".join(lines), FILE_SIZE)
    except FormatError:
        return
    assert len(lines) == len(found)


def test_a_resource_ends_after_its_stored_bytes():
    """`end` counts what is on disk, not what it unpacks to."""
    found = Resource.from_bytes(resource(1000, 10, 4000, 0x4))

    assert found.end == 1010
    assert found.is_compressed
    assert not replace(found, flags=ResourceFlag(0)).is_compressed
