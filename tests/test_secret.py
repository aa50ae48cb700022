"""A secret prints as stars."""

import json

import pytest
from pydantic import BaseModel

from netboot.secret import Secret, revealed


@pytest.mark.parametrize("shown", [str, repr, "{}".format, "{0!r}".format, lambda s: f"{[s]}"])
def test_a_secret_is_shown_as_stars_however_it_is_printed(shown):
    assert "hush" not in shown(Secret("hush"))
    assert "***" in shown(Secret("hush"))


def test_a_secret_in_a_model_is_stars_in_its_text_and_its_json():
    class Order(BaseModel):
        password: Secret

    order = Order(password="hush")
    assert "hush" not in repr(order)
    assert set(json.loads(order.model_dump_json())["password"]) == {"*"}
    assert order.password.get_secret_value() == "hush"


def test_its_text_is_had_where_it_is_needed():
    assert revealed(Secret("hush")) == revealed("hush") == "hush"
