"""The join token: read out, typed and copied, it is right or it is refused at once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netboot.errors import InvalidInput
from netboot.images.points.join_token import JoinToken, _checksum
from netboot.images.points.keys import SigningKey

LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
TOKENS = st.builds(
    JoinToken,
    secret=st.binary(min_size=16, max_size=16),
    site=st.binary(min_size=16, max_size=16),
)
TOKEN = JoinToken(bytes(range(16)), SigningKey(bytes(32)).public.fingerprint)


@given(TOKENS)
def test_a_token_is_read_as_it_was_shown(token):
    """In groups, in any case, with spaces, and with the letters that look like digits."""
    text = token.text

    assert token == JoinToken.from_text(text)
    assert token == JoinToken.from_text(f"  {text.lower().replace('-', ' ')}\n")
    assert token == JoinToken.from_text(text.replace("0", "o").replace("1", "l"))
    assert [len(group) for group in text.split("-")] == [8] * 7


@given(TOKENS, st.integers(0, 55), st.sampled_from(LETTERS))
def test_each_wrong_letter_is_noticed(token, at, letter):
    """Before anything is sent."""
    letters = token.text.replace("-", "")
    wrong = letters[:at] + letter + letters[at + 1 :]
    if wrong == letters:
        assert JoinToken.from_text(wrong) == token
        return

    with pytest.raises(InvalidInput, match="its checksum is wrong") as told:
        JoinToken.from_text(wrong)
    assert "Nothing was sent." in told.value.hint


@given(TOKENS, st.integers(0, 54))
def test_two_exchanged_letters_are_noticed(token, at):
    """The usual slip of a hand."""
    letters = token.text.replace("-", "")
    wrong = letters[:at] + letters[at + 1] + letters[at] + letters[at + 2 :]
    if wrong == letters:
        assert JoinToken.from_text(wrong) == token
        return

    with pytest.raises(InvalidInput, match="its checksum is wrong"):
        JoinToken.from_text(wrong)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "has 0 letters and digits instead of 56"),
        (TOKEN.text[:-1], "has 55 letters and digits instead of 56"),
        (TOKEN.text + "0", "has 57 letters"),
        ("U" * 56, "contains 'U'"),
        ("é" * 56, "contains 'É'"),
        ("http://site:8080/", "has 17 letters"),
        ("0" * 100_000, "has 100000 letters"),
    ],
)
def test_another_text_is_no_token(text, reason):
    """It says what is wrong with it, and never shows the whole."""
    with pytest.raises(InvalidInput, match=reason) as told:
        JoinToken.from_text(text)

    assert len(str(told.value)) < 100


def test_a_token_of_a_later_netboot_is_named_so():
    """Its checksum is right, so it was not mistyped."""
    data = bytes([2]) + bytes(32)
    number = int.from_bytes(data + _checksum(data))
    text = "".join(LETTERS[number >> 5 * place & 31] for place in reversed(range(56)))

    with pytest.raises(InvalidInput, match="another version of netboot"):
        JoinToken.from_text(text)


def test_a_token_is_not_shown_and_its_names_do_not_reveal_it():
    """Not in logs; what the site stores is no token."""
    assert repr(TOKEN.secret) not in repr(TOKEN)
    assert TOKEN.secret.hex() not in TOKEN.identifier + TOKEN.proof_key.hex()
    assert TOKEN.identifier[:32] != TOKEN.proof_key.hex()[:32]


def test_parts_of_another_size_are_a_mistake_of_the_caller():
    """A short secret would be no secret."""
    with pytest.raises(ValueError, match="another size"):
        JoinToken(b"short", TOKEN.site)
