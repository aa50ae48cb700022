"""JSON that is signed: one way to write it, and hostile text is refused before it is read."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netboot.errors import FormatError
from netboot.formats.strict_json import canonical, parse_object

WHOLE = st.integers(-(10**18), 10**18)
VALUES = st.recursive(
    st.none() | st.booleans() | WHOLE | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
OBJECTS = st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), VALUES, max_size=5)


def read(data: bytes, size: int = 1 << 20, values: int = 10_000):
    return parse_object(data, "the text", size=size, values=values)


@given(OBJECTS)
def test_what_was_written_is_read_and_written_alike(value):
    """Writing, reading and writing again gives the same bytes, whatever the order of keys."""
    data = canonical(value)

    assert value == read(data)
    assert data == canonical(dict(reversed(read(data).items())))


@given(st.binary(max_size=200) | OBJECTS.map(lambda v: canonical(v)[:-1]))
def test_any_bytes_are_an_object_or_a_format_error(data):
    """Nothing else than an object or the one error comes out."""
    try:
        assert isinstance(read(data), dict)
    except FormatError as fault:
        assert str(fault).startswith("the text ")  # noqa: PT017 - both ends are right


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is not JSON"),
        (b"[]", "is not a JSON object"),
        (b'"text"', "is not a JSON object"),
        (b"{", "is not JSON"),
        (b'{"a":1} {}', "is not JSON"),
        (b'{"a":1,"b":2,"a":3}', "has the key 'a' twice"),
        (b'{"x":{"a":1,"a":1}}', "has the key 'a' twice"),
        (b'{"a":NaN}', "has NaN for a number"),
        (b'{"a":-Infinity}', "has -Infinity for a number"),
        (b'{"a":1e999}', "has a number that is too large"),
        (b'{"a":' + b"9" * 5000 + b"}", "has a number of 5000 digits"),
        (b'{"a":"\xff"}', "is not UTF-8 text"),
        (b'{"a":"\\ud800"}', "is not UTF-8 text"),
        (b"\xef\xbb\xbf{}", "is not JSON"),
        (b'{"a":' + b"[" * 100_000, "is nested more than 16 levels deep"),
        (b'{"a":[' + b"{}," * 20_000 + b"{}]}", "has more than 10000 values"),
        (b'{"a":"' + b"x" * (1 << 20) + b'"}', "at most 1048576 are read"),
    ],
)
def test_unsound_text_is_refused_and_says_why(data, reason):
    """Each fault has its own sentence."""
    with pytest.raises(FormatError, match=reason):
        read(data)


def test_brackets_in_strings_are_no_depth():
    """Only structure counts: text may hold what it likes, escaped quotes included."""
    value = {"a": '[[[[{{{{"' * 50 + "\\", "b": "," * 5000}

    assert value == read(json.dumps(value).encode(), values=10)


@pytest.mark.parametrize("piece", [b'"', b'\\"', b'"\\', b"[", b'{"', b"[]"])
def test_hostile_text_costs_no_more_than_a_look(piece):
    """A mebibyte of anything is refused in well under a second."""
    began = time.process_time()
    with pytest.raises(FormatError):
        read((b'{"' + piece * (1 << 20))[: 1 << 20], values=1000)

    assert time.process_time() - began < 1.0


@pytest.mark.parametrize("value", [{"a": float("nan")}, {"a": "\ud800"}])
def test_what_is_not_json_is_not_written(value):
    """A writer that is handed nonsense says so."""
    with pytest.raises(ValueError):
        canonical(value)
