import pytest
from hypothesis import given
from hypothesis import strategies as st

from netboot.protocols.printable import printable, printable_text


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"boot/x64/boot.wim", "boot/x64/boot.wim"),
        (b"a\x00b\x1b[2J", "a\\x00b\\x1b[2J"),
        (b"\xff\xe4", "\\xff\\xe4"),
        (b"two\nlines\x7f", "two\\x0alines\\x7f"),
    ],
)
def test_bytes_are_shown_or_escaped(data, shown):
    """No byte moves a cursor or begins a line of a log."""
    assert shown == printable(data)


@given(st.binary(max_size=300))
def test_whatever_came_is_printable_ascii(data):
    """On one line."""
    shown = printable(data)

    assert shown.isascii()
    assert shown.isprintable()


def test_text_is_cut_and_keeps_only_what_can_be_shown():
    """Lone surrogates cannot be stored as UTF-8, so they go as well."""
    assert printable_text("Büro\n 7\ud800", 100) == "Büro 7"
    assert printable_text("x" * 500, 3) == "xxx"
