import pytest
from hypothesis import given
from hypothesis import strategies as st

from netboot.errors import InvalidInput
from netboot.protocols.mac import is_mac, read_mac, require_mac

KEPT = "52:54:00:ab:cd:ef"
OTHERS = ["52:54:00:AB:CD:EF", "52-54-00-ab-cd-ef", "5254.00ab.cdef", "5254-00AB-CDEF",
          "525400ABCDEF", f" {KEPT}\n"]  # fmt: skip
WRONG = ["", "52:54:00:ab:cd", f"{KEPT}:00", "52:54:00:ab:cd:eg", "52:54-00:ab-cd:ef", "pool 7",
         "52 54 00 ab cd ef", "５２:54:00:ab:cd:ef", "a" * 500]  # fmt: skip


@pytest.mark.parametrize("written", [KEPT, *OTHERS])
def test_every_usual_spelling_is_one_address(written):
    """Colons, hyphens, a switch's dots, none at all; upper and lower case."""
    assert KEPT == read_mac(written) == require_mac(written)


@pytest.mark.parametrize("written", WRONG)
def test_what_is_not_a_mac_address_is_refused_with_an_example(written):
    """Too short, too long, mixed signs, other letters."""
    assert read_mac(written) == ""
    assert not is_mac(written)
    with pytest.raises(InvalidInput, match="is not a MAC address") as refusal:
        require_mac(written)
    assert "52:54:00:12:34:56" in refusal.value.hint


def test_only_the_kept_spelling_names_a_machine():
    """Rows are found by it."""
    assert [True] + [False] * len(OTHERS) == [is_mac(written) for written in (KEPT, *OTHERS)]


@given(st.binary(min_size=6, max_size=6))
def test_six_bytes_come_back_as_they_were_written(address):
    """Whatever the bytes."""
    assert address.hex(":") == read_mac(address.hex()) == read_mac(address.hex("-").upper())
