"""The desired state: a point follows its own site's newest document, and no other."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netboot.formats import strict_json
from netboot.images.points.desired_state import (
    SIZE_LIMIT,
    DesiredState,
    Refusal,
    Seen,
    StateRefused,
    next_number,
    read_state,
    seen_in,
    sign_state,
)
from netboot.images.points.keys import SigningKey

SITE, POINT, STRANGER = (SigningKey(bytes([number]) * 32) for number in (1, 2, 3))
DIGEST = "sha256:" + "ab" * 32
NOTHING = Seen()
STATE = DesiredState(
    point="Berlin",
    key=POINT.public.fingerprint,
    number=7,
    valid_at=1_800_000_000,
    images={"Lab PE x64": DIGEST},
    defaults={"x64": "Lab PE x64"},
    deployments={"52:54:00:00:00:01": "Lab PE x64"},
    networks=({"subnet": "10.2.0.0/16", "response_delay": 0.5},),
)


def read(data: bytes, *, point="Berlin", key=POINT, site=SITE, seen=NOTHING):
    return read_state(data, site=site.public, point=point, key=key.public, seen=seen)


def refusal(data: bytes, **options) -> Refusal:
    with pytest.raises(StateRefused) as told:
        read(data, **options)
    assert str(told.value)
    return told.value.refusal


def signed(change) -> bytes:
    """A document whose JSON was changed, and which the site has signed all the same."""
    value = json.loads(sign_state(STATE, SITE).split(b"\n", 1)[1])
    return sealed(strict_json.canonical({**value, **change}))


def sealed(body: bytes) -> bytes:
    signature = SITE.sign(b"netboot-desired-state-1\n" + body).hex().encode()
    return b"netboot-desired-state-1 " + signature + b"\n" + body


def test_a_document_is_read_as_it_was_signed():
    """The same state is the same bytes, so that an ETag holds."""
    data = sign_state(STATE, SITE)

    assert read(data) == STATE
    assert data == sign_state(STATE, SITE)
    assert json.loads(data.split(b"\n", 1)[1])["point"] == "Berlin"


@given(st.integers(0, 2000), st.integers(1, 255))
def test_any_changed_byte_is_noticed(at, change):
    """On the way or on the disk: no document that differs by a byte is followed."""
    data = bytearray(sign_state(STATE, SITE))
    data[at % len(data)] ^= change

    assert refusal(bytes(data)) in {Refusal.WRONG_SIGNATURE, Refusal.MALFORMED}


@given(st.binary(max_size=300))
def test_any_bytes_are_refused(data):
    """Nothing but a refusal comes out."""
    assert refusal(data) is Refusal.MALFORMED


def test_a_document_that_was_cut_off_is_refused():
    """Wherever the line broke."""
    data = sign_state(STATE, SITE)

    for size in range(0, len(data), 7):
        assert refusal(data[:size]) in {Refusal.WRONG_SIGNATURE, Refusal.MALFORMED}


def test_a_stranger_is_not_followed():
    """Nor is the point itself: only the site's key counts."""
    assert refusal(sign_state(STATE, STRANGER)) is Refusal.WRONG_SIGNATURE
    assert refusal(sign_state(STATE, POINT)) is Refusal.WRONG_SIGNATURE


def test_a_signature_of_something_else_is_none():
    """The JSON alone, signed by the site for another purpose, is no desired state."""
    body = sign_state(STATE, SITE).split(b"\n", 1)[1]
    data = b"netboot-desired-state-1 " + SITE.sign(body).hex().encode() + b"\n" + body

    assert refusal(data) is Refusal.WRONG_SIGNATURE


def test_another_points_document_is_refused():
    """By name, and by key: a disk in another machine, a point that was added again."""
    data = sign_state(STATE, SITE)

    assert refusal(data, point="Hamburg") is Refusal.OTHER_POINT
    assert refusal(data, key=STRANGER) is Refusal.OTHER_POINT


def test_an_older_document_is_refused():
    """One that was recorded and is played again cannot bring back what was withdrawn."""
    old, new = (sign_state(replace(STATE, number=number), SITE) for number in (7, 8))
    seen = seen_in(read(new), new)

    assert refusal(old, seen=seen) is Refusal.OLDER
    assert read(new, seen=seen).number == 8
    assert read(sign_state(replace(STATE, number=900), SITE), seen=seen).number == 900


def test_one_number_is_one_document():
    """A site that forgot its last number does not make two points of one number differ."""
    data = sign_state(STATE, SITE)
    seen = seen_in(STATE, data)

    assert read(data, seen=seen) == STATE
    assert refusal(sign_state(replace(STATE, images={}), SITE), seen=seen) is Refusal.SAME_NUMBER


def test_a_restored_site_is_followed_again():
    """It counts on from what the point says it has seen."""
    assert next_number(own=3, reported=41) == 42
    assert next_number(own=41, reported=3) == 42
    data = sign_state(replace(STATE, number=next_number(3, 41)), SITE)

    assert read(data, seen=Seen(41, DIGEST)).number == 42


@pytest.mark.parametrize("valid_at", [1, 1_000_000_000, 1_800_086_400, 4_000_000_000])
def test_no_time_makes_a_point_refuse(valid_at):
    """Clocks of site and point may differ by a day or by years: the number alone counts."""
    state = replace(STATE, valid_at=valid_at)

    assert read(sign_state(state, SITE), seen=Seen(6, DIGEST)) == state


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"format": 2}, Refusal.NEWER_FORMAT),
        ({"format": True}, Refusal.MALFORMED),
        ({"format": "1"}, Refusal.MALFORMED),
        ({"point": ""}, Refusal.MALFORMED),
        ({"point": "Berlin\n"}, Refusal.MALFORMED),
        ({"point": 7}, Refusal.MALFORMED),
        ({"key": "ab"}, Refusal.MALFORMED),
        ({"number": 0}, Refusal.MALFORMED),
        ({"number": -1}, Refusal.MALFORMED),
        ({"number": 1.5}, Refusal.MALFORMED),
        ({"number": True}, Refusal.MALFORMED),
        ({"number": 1 << 60}, Refusal.MALFORMED),
        ({"valid_at": None}, Refusal.MALFORMED),
        ({"valid_at": "now"}, Refusal.MALFORMED),
        ({"images": []}, Refusal.MALFORMED),
        ({"images": {"Lab": "../../etc/passwd"}}, Refusal.MALFORMED),
        ({"images": {"Lab": "sha512:" + "ab" * 64}}, Refusal.MALFORMED),
        ({"images": {"": DIGEST}}, Refusal.MALFORMED),
        ({"images": {"x" * 201: DIGEST}}, Refusal.MALFORMED),
        ({"defaults": {"x64": None}}, Refusal.MALFORMED),
        ({"deployments": {"52-54-00-00-00-01": "Lab"}}, Refusal.MALFORMED),
        ({"deployments": {"52:54:00:00:00:01\n": "Lab"}}, Refusal.MALFORMED),
        ({"networks": {}}, Refusal.MALFORMED),
        ({"networks": ["10.0.0.0/8"]}, Refusal.MALFORMED),
    ],
)
def test_what_a_site_should_not_sign_is_refused_too(change, expected):
    """A signature says who wrote it, not that it is right."""
    assert refusal(signed(change)) is expected


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b"\xff", b'{"format":1,"format":1}', b"[" * 100_000, b'{"number":NaN}'],
)
def test_a_signed_text_that_is_no_document_is_malformed(body):
    """Also with a right signature nothing else than a refusal comes out."""
    assert refusal(sealed(body)) is Refusal.MALFORMED


def test_what_came_later_is_ignored():
    """A newer site may say more in the same format."""
    assert read(signed({"later": {"x": 1}})) == STATE


def test_an_endless_document_is_refused_at_once():
    """Its size is looked at first, and nothing of it is hashed."""
    assert refusal(b"x" * (SIZE_LIMIT + 1)) is Refusal.TOO_LONG


def test_a_large_site_fits():
    """Twenty thousand deployments are one document."""
    deployments = {f"52:54:00:{n >> 16:02x}:{n >> 8 & 255:02x}:{n & 255:02x}": "Lab PE x64"
                   for n in range(20_000)}  # fmt: skip
    state = replace(STATE, deployments=deployments)

    assert read(sign_state(state, SITE)) == state
