"""Ed25519 keys: the standard's own example, and texts that are none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netboot.errors import FormatError
from netboot.images.points.keys import PublicKey, SigningKey, is_hex

# RFC 8032 §7.1, test 2
SEED = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
PUBLIC = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
SIGNATURE = bytes.fromhex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)


def test_a_signature_is_that_of_the_standard():
    """The example of RFC 8032 comes out byte for byte."""
    key = SigningKey(SEED)

    assert key.public.text == f"ed25519:{PUBLIC}"
    assert key.sign(b"\x72") == SIGNATURE
    assert key.public.signed(SIGNATURE, b"\x72")


@given(st.integers(0, 511), st.integers(0, 7))
def test_a_changed_signature_is_none(bit, change):
    """Whichever bit differs; nor is one that was cut, or one of other bytes."""
    wrong = bytearray(SIGNATURE)
    wrong[bit // 8] ^= 1 << bit % 8
    public = SigningKey(SEED).public

    assert not public.signed(bytes(wrong), b"\x72")
    assert not public.signed(SIGNATURE[:-1], b"\x72")
    assert not public.signed(SIGNATURE, bytes([change]))


def test_a_key_that_is_no_point_of_the_curve_signs_nothing():
    """32 bytes may be no key at all: that is a wrong signature, not a crash."""
    assert not PublicKey(b"\xff" * 32).signed(SIGNATURE, b"\x72")


def test_a_secret_key_is_not_shown():
    """Neither in a log nor in a traceback."""
    assert "4ccd" not in repr(SigningKey(SEED))
    assert repr(SEED)[2:20] not in repr(SigningKey(SEED))


def test_keys_are_read_as_they_are_written():
    """The text is the key, and its fingerprint is short and its own."""
    public = SigningKey(SEED).public
    other = SigningKey(bytes(32)).public

    assert PublicKey.from_text(public.text) == public
    assert len(public.fingerprint) == 16
    assert public.fingerprint != other.fingerprint


@pytest.mark.parametrize(
    "text",
    [
        *(None, 7, [PUBLIC], "", PUBLIC, "ed25519:", f"ed25519:{PUBLIC[:-1]}"),
        *(f"ed25519:{PUBLIC}00", f"ed25519:{PUBLIC.upper()}", f"rsa:{PUBLIC}"),
        f"ed25519:ed25519:{PUBLIC}",
    ],
)
def test_another_text_is_no_key(text):
    """Each key has one way to be written."""
    with pytest.raises(FormatError, match="this is no public key"):
        PublicKey.from_text(text)


@pytest.mark.parametrize("kind", [PublicKey, SigningKey])
def test_a_key_has_32_bytes(kind):
    """Another size is a mistake of the caller."""
    with pytest.raises(ValueError, match="has 32 bytes, not 31"):
        kind(bytes(31))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("00ff", True),
        ("00FF", False),
        ("0x0f", False),
        ("00f", False),
        (" 0ff", False),
        (None, False),
    ],
)
def test_hex_is_of_one_form(text, expected):
    """What Python reads as hex in other ways is refused."""
    assert expected is is_hex(text, 2)
