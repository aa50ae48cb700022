"""The name of what is served, given once more."""

import pytest

from netboot.errors import InvalidInput
from netboot.operations.served import require_name


@pytest.mark.parametrize("given", ["PE x64", " PE x64\n", None])
def test_the_right_name_is_enough_and_none_asks_for_nothing(given):
    assert require_name("PE x64", given) is None


@pytest.mark.parametrize("given", ["", "pe x64", "PE", "yes"])
def test_any_other_word_is_refused_with_what_to_type(given):
    with pytest.raises(InvalidInput, match="PE x64 v3 is served to machines") as told:
        require_name("PE x64", given, label="PE x64 v3")
    assert told.value.hint == "Type PE x64."
