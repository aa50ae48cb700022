"""Values out of forms."""

import pytest
from flask import Flask

from netboot.errors import InvalidInput
from netboot.images.architecture import Architecture
from web.show.forms import (
    asked_number,
    asked_page,
    choice,
    number,
    optional_number,
    to_number,
)


@pytest.mark.parametrize("text", ["", "-1", "1.5", "0x1", "1234567890", "one", " 3"])
def test_what_is_no_number_is_told(text):
    """Signs, points, letters, spaces, and more digits than any number of ours has."""
    with pytest.raises(InvalidInput, match="is not a number"):
        to_number(text)


def test_fields_are_read_as_numbers():
    """What must be there, what may be, and what stands in the address."""
    app = Flask("test")
    with app.test_request_context("/?old=2&new=", method="POST", data={"a": " 7 ", "b": ""}):
        assert (
            number("a"),
            optional_number("a"),
            optional_number("b"),
            optional_number("c"),
        ) == (7, 7, None, None)
        assert (asked_number("old"), asked_number("new"), asked_number("x")) == (2, None, None)
        with pytest.raises(InvalidInput):
            number("b")


@pytest.mark.parametrize(
    ("query", "page"),
    [("", 1), ("page=3", 3), ("page=0", 1), ("page=-2", 1), ("page=x", 1), ("page=999999999", 1)],
)
def test_the_first_page_is_shown_for_anything_that_is_not_a_page(query, page):
    with Flask("test").test_request_context(f"/?{query}"):
        assert page == asked_page()


@pytest.mark.parametrize(
    ("text", "message"),
    [("mips", "unknown architecture 'mips'"), ("", "select the architecture")],
)
def test_a_choice_is_one_of_its_kind(text, message):
    with Flask("test").test_request_context("/", method="POST", data={"a": "x64", "b": text}):
        assert Architecture.X64 is choice(Architecture, "a", "architecture")
        assert Architecture.X86 is choice(Architecture, "c", "architecture", default="x86")
        with pytest.raises(InvalidInput, match=message) as fault:
            choice(Architecture, "b", "architecture")

    assert "x64" in fault.value.hint
