"""Ranges: a table, and random ranges put together again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netboot.protocols.http_range import Part, Unsatisfiable, Whole, choose, matches

ETAG = '"sha256:0123"'
SIZE = 1000

NO_RANGE = [
    "",
    "bytes",
    "bytes=",
    "bytes=-",
    "bytes=a-b",
    "bytes=1",
    "bytes=+1-2",
    "bytes=1-+2",
    "bytes=--1",
    "bytes=1--2",
    "bytes=-1-2",
    "bytes=0x1-2",
    "bytes=1.0-2",
    "bytes 1-2",
    "bits=1-2",
    "items=0-1",
    "bytes=2-1",
    "bytes=999-0",
    "bytes=0-1,5-6",
    "bytes=0-,0-,0-,0-",
    "bytes=0-0,-1",
    "bytes=1-2;x=y",
    "bytes=\u0661-\u0662",
    "bytes=1-" + "9" * 21,
    "bytes=" + "9" * 5000 + "-",
    "bytes=0-1\n",
    "bytes=0 -1",
]


@pytest.mark.parametrize("header", NO_RANGE)
def test_what_is_no_single_range_gets_the_whole_file(header: str) -> None:
    """Malformed, of another unit, backwards, or several: ignored (RFC 9110 §14.2)."""
    assert Whole() == choose(header, None, size=SIZE, etag=ETAG)


@pytest.mark.parametrize(
    ("header", "first", "length"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-", 0, 1000),
        ("bytes=0-999", 0, 1000),
        ("bytes=0-1000", 0, 1000),
        ("bytes=0-99999999999999999999", 0, 1000),
        ("bytes=500-599", 500, 100),
        ("bytes=999-", 999, 1),
        ("bytes=999-999", 999, 1),
        ("bytes=999-2000", 999, 1),
        ("bytes=-1", 999, 1),
        ("bytes=-999", 1, 999),
        ("bytes=-1000", 0, 1000),
        ("bytes=-1001", 0, 1000),
        ("bytes=-99999999999999999999", 0, 1000),
        ("BYTES=1-2", 1, 2),
        (" bytes=1-2 ", 1, 2),
        ("bytes=\t1-2", 1, 2),
        ("bytes=007-010", 7, 4),
    ],
)
def test_single_ranges(header: str, first: int, length: int) -> None:
    """From, from-to and the last so many bytes."""
    assert Part(first, length) == choose(header, None, size=SIZE, etag=ETAG)


@pytest.mark.parametrize("header", ["bytes=1000-", "bytes=1000-1001", f"bytes={2**64}-"])
def test_ranges_beyond_the_end(header: str) -> None:
    """Nothing there: 416, with the size."""
    extent = choose(header, None, size=SIZE, etag=ETAG)

    assert Unsatisfiable() == extent
    assert Unsatisfiable().content_range(SIZE) == "bytes */1000"


@pytest.mark.parametrize("header", ["bytes=0-", "bytes=0-0", "bytes=-1", "bytes=-0"])
def test_an_empty_file_has_no_ranges(header: str) -> None:
    """Of nothing there is no part."""
    assert Unsatisfiable() == choose(header, None, size=0, etag=ETAG)


def test_the_last_zero_bytes_are_none() -> None:
    """`bytes=-0` can't be satisfied (RFC 9110 §14.1.2)."""
    assert Unsatisfiable() == choose("bytes=-0", None, size=SIZE, etag=ETAG)


@pytest.mark.parametrize(
    ("condition", "extent"),
    [
        (None, Part(1, 2)),
        (ETAG, Part(1, 2)),
        ('"sha256:other"', Whole()),
        ("W/" + ETAG, Whole()),
        ("Sun, 22 Nov 2026 00:00:00 GMT", Whole()),
        ("", Whole()),
    ],
)
def test_a_range_of_another_version_gets_the_whole_of_this_one(
    condition: str | None, extent: Part | Whole
) -> None:
    """If-Range holds only for the very same bytes (RFC 9110 §13.1.5)."""
    assert extent == choose("bytes=1-2", condition, size=SIZE, etag=ETAG)


def test_what_was_sent_is_named_exactly() -> None:
    """Content-Range counts from 0 and names the last byte."""
    assert Part(500, 100).content_range(SIZE) == "bytes 500-599/1000"


@given(st.text(max_size=40), st.integers(0, 10**12))
def test_any_header_gives_a_part_within_the_file(header: str, size: int) -> None:
    """Whatever stands there, no byte beyond the file is promised."""
    for text in (header, "bytes=" + header):
        extent = choose(text, None, size=size, etag=ETAG)
        if isinstance(extent, Part):
            assert extent.first >= 0
            assert extent.length >= 1
            assert extent.first + extent.length <= size


@given(st.binary(min_size=1, max_size=300), st.data())
def test_ranges_put_together_are_the_file(content: bytes, data: st.DataObject) -> None:
    """Cut anywhere, fetched in pieces, put together: the same bytes."""
    cuts = sorted(
        data.draw(st.sets(st.integers(1, len(content) - 1) if len(content) > 1 else st.nothing()))
    )
    whole = b""
    for start, stop in zip([0, *cuts], [*cuts, len(content)], strict=True):
        part = choose(f"bytes={start}-{stop - 1}", ETAG, size=len(content), etag=ETAG)
        assert isinstance(part, Part)
        whole += content[part.first : part.first + part.length]

    assert content == whole


@pytest.mark.parametrize(
    ("header", "same"),
    [
        (None, False),
        ("", False),
        ("*", True),
        (ETAG, True),
        ("W/" + ETAG, True),
        (f'"a", {ETAG}', True),
        (f'{ETAG} , W/"b"', True),
        ('"a", "b"', False),
        ("sha256:0123", False),
    ],
)
def test_what_the_client_already_has(header: str | None, *, same: bool) -> None:
    """If-None-Match lists entity tags, or says any (RFC 9110 §13.1.2)."""
    assert same is matches(header, ETAG)


EDGES = [
    (size, first, last)
    for size in (1, 2, 511, 65_536, 2**32 + 7)
    for first in sorted({0, 1, size // 2, size - 1, size, size + 1})
    for last in sorted({0, 1, size // 2, size - 1, size, size + 1, 2**64})
    if first <= last
]


@pytest.mark.parametrize(("size", "first", "last"), EDGES)
def test_every_edge_of_a_file_is_cut_where_slices_cut(size: int, first: int, last: int) -> None:
    """Against Python's own slices, which are no code of ours."""
    expected = range(size)[first : last + 1]
    got = choose(f"bytes={first}-{last}", None, size=size, etag=ETAG)

    assert got == (Part(expected[0], len(expected)) if expected else Unsatisfiable())
