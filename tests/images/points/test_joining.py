"""Joining: who has the token joins, once; who stands between is noticed on both sides."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netboot.errors import FormatError, InvalidInput, NotPermitted
from netboot.images.points.join_token import JoinToken
from netboot.images.points.joining import (
    IssuedToken,
    check_request,
    make_answer,
    make_request,
    read_answer,
    read_request,
)
from netboot.images.points.keys import SigningKey

SITE, POINT, STRANGER = (SigningKey(bytes([number]) * 32) for number in (1, 2, 3))
TOKEN = JoinToken(b"secret of 16 by.", SITE.public.fingerprint)
NONCE = b"nonce of 16 byte"
ISSUED = IssuedToken(TOKEN.identifier, TOKEN.proof_key, "Berlin", expires_at=1000.0)


def request(token=TOKEN, key=POINT, nonce=NONCE):
    return read_request(make_request(token, key.public, nonce))


def answer(site=SITE, key=POINT, nonce=NONCE):
    return make_answer(request(key=key, nonce=nonce), "Berlin", site)


def test_the_owner_of_the_token_joins():
    """The site knows the point's key then, and the point the site's and its own name."""
    asked = request()

    assert check_request(asked, ISSUED, 999.0) is ISSUED
    assert asked.key == POINT.public
    assert read_answer(answer(), TOKEN, POINT.public, NONCE) == (SITE.public, "Berlin")


def test_the_secret_is_never_sent():
    """Neither it nor the key of the proof is in the request."""
    sent = make_request(TOKEN, POINT.public, NONCE)

    assert TOKEN.secret.hex().encode() not in sent
    assert TOKEN.proof_key.hex().encode() not in sent


def test_a_token_is_good_once():
    """Another machine with the same token is refused, and the administrator hears of the first."""
    used = replace(ISSUED, used_by=POINT.public)

    with pytest.raises(NotPermitted, match="was used by another machine") as told:
        check_request(request(key=STRANGER), used, 500.0)
    assert "remove the point Berlin" in told.value.hint


def test_a_lost_answer_can_be_asked_for_again():
    """The machine that used the token may repeat its request, as long as the token is valid."""
    used = replace(ISSUED, used_by=POINT.public)

    assert check_request(request(nonce=b"another nonce 16"), used, 500.0) is used
    with pytest.raises(InvalidInput, match="has expired"):
        check_request(request(), used, 1000.0)


def test_a_token_expires_by_the_clock_of_the_site():
    """The moment that it names is the first at which it is refused."""
    with pytest.raises(InvalidInput, match="the join token of Berlin has expired") as told:
        check_request(request(), ISSUED, 1000.0)
    assert "Create a new join token" in told.value.hint


def test_an_unknown_token_is_refused():
    """One of another site, or one that was withdrawn."""
    with pytest.raises(NotPermitted, match="does not know this join token"):
        check_request(request(), None, 500.0)


def test_a_request_that_was_changed_on_the_way_is_refused():
    """The identifier can be read on the line; it does not help to bring another key in."""
    asked = request()

    for wrong in (
        replace(asked, key=STRANGER.public),
        replace(asked, nonce=bytes(16)),
        replace(asked, proof=bytes(32)),
    ):
        with pytest.raises(NotPermitted, match="was not made with the join token"):
            check_request(wrong, ISSUED, 500.0)


def test_another_site_is_noticed():
    """Someone between answers with a key of their own: the fingerprint in the token differs."""
    with pytest.raises(NotPermitted, match="from another site than the one") as told:
        read_answer(answer(site=STRANGER), TOKEN, POINT.public, NONCE)
    assert "between this machine and the site" in told.value.hint


def test_an_answer_is_good_for_one_request():
    """One that was recorded, one for another machine, one with another name or signature."""
    honest = json.loads(answer())
    forged = {**json.loads(answer(site=STRANGER)), "site": SITE.public.text}
    for wrong in (
        answer(nonce=bytes(16)),
        answer(key=STRANGER),
        json.dumps({**honest, "point": "Hamburg"}).encode(),
        json.dumps(forged).encode(),
    ):
        with pytest.raises(NotPermitted, match="not signed by the site for this request"):
            read_answer(wrong, TOKEN, POINT.public, NONCE)


@given(st.binary(max_size=200), st.integers(0, 400), st.binary(min_size=1, max_size=2))
def test_any_bytes_are_refused_in_words(junk, at, put):
    """Broken requests and answers are a format error, or lack their proof."""
    sent, got = make_request(TOKEN, POINT.public, NONCE), answer()
    for data in (junk, sent[: at % len(sent)], sent[: at % len(sent)] + put + sent[at:]):
        try:
            check_request(read_request(data), ISSUED, 500.0)
        except (FormatError, NotPermitted) as fault:
            assert str(fault)  # noqa: PT017 - a request that is whole is right
    for data in (junk, got[: at % len(got)], got[: at % len(got)] + put + got[at:]):
        try:
            read_answer(data, TOKEN, POINT.public, NONCE)
        except (FormatError, NotPermitted) as fault:
            assert str(fault)  # noqa: PT017 - an answer that is whole is right


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"token": "ab"}, "no token of 16 bytes"),
        ({"nonce": None}, "no nonce of 16 bytes"),
        ({"proof": "zz" * 32}, "no proof of 32 bytes"),
        ({"key": "ed25519:00"}, "this is no public key"),
    ],
)
def test_a_request_without_a_part_is_refused(change, reason):
    """Each part has its sentence."""
    whole = json.loads(make_request(TOKEN, POINT.public, NONCE))

    with pytest.raises(FormatError, match=reason):
        read_request(json.dumps({**whole, **change}).encode())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"point": ""}, "no name for this point"),
        ({"point": ["Berlin"]}, "no name for this point"),
        ({"signature": 7}, "no signature"),
        ({"site": "here"}, "this is no public key"),
    ],
)
def test_an_answer_without_a_part_is_refused(change, reason):
    """Also an answer of a program that is no netboot."""
    with pytest.raises(FormatError, match=reason):
        read_answer(
            json.dumps({**json.loads(answer()), **change}).encode(), TOKEN, POINT.public, NONCE
        )
    with pytest.raises(FormatError, match="is not JSON"):
        read_answer(b"<html>404", TOKEN, POINT.public, NONCE)
