"""Values out of forms."""

import pytest
from flask import Flask

from netboot.errors import InvalidInput
from web.show.forms import asked_number, number, optional_number, to_number


@pytest.mark.parametrize("text", ["", "-1", "1.5", "0x1", "1234567890", "one", " 3"])
def test_what_is_no_number_is_told(text):
    """Signs, points, letters, spaces, and more digits than any number of ours has."""
    with pytest.raises(InvalidInput, match="is not a number"):
        to_number(text)


def test_fields_are_read_as_numbers():
    """What must be there, what may be, and what stands in the address."""
    app = Flask("test")
    with app.test_request_context("/?old=2&new=", method="POST", data={"a": " 7 ", "b": ""}):
        assert (7, 7, None, None) == (
            number("a"),
            optional_number("a"),
            optional_number("b"),
            optional_number("c"),
        )
        assert (2, None, None) == (asked_number("old"), asked_number("new"), asked_number("x"))
        with pytest.raises(InvalidInput):
            number("b")
