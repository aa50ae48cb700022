"""The desired state: one signed document that says what one point shall serve.

On the wire it is one line with the signature, then canonical JSON:

    netboot-desired-state-1 <128 hex digits>
    {"defaults":…,"deployments":…,"format":1,"images":…,"key":…,"networks":…,"number":…,…}

What is signed is the word in front and the JSON, so no other document of ours can be taken for
one. The signature is checked before the JSON is read.

Time. A point compares no time in the document with its own clock, and none makes it refuse. Clocks
of servers are off by a day after an empty battery, and a point that then refused its site, or took
its last good state for expired, would turn away machines for no gain. What keeps an old document
out is its number, which only grows and which the point has stored. What an expiry would add is
that a withheld document is noticed; a point that serves for weeks without its site must not stop
for that, so its page says since when it has not heard from the site, and a person judges. Times of
the document (`valid_at`) are the site's, for people; time windows are applied by the site, which
changes the document when one opens.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from netboot.errors import FormatError, ProtocolError
from netboot.formats import oci, strict_json
from netboot.images.points.keys import (
    FINGERPRINT_BYTES,
    SIGNATURE_BYTES,
    PublicKey,
    SigningKey,
    is_hex,
)
from netboot.images.versions.artifact import digest_of

MEDIA_TYPE = "application/vnd.netboot.desired-state.v1"
SIZE_LIMIT = 4 << 20
"""Some 50,000 deployments."""

_WORD = b"netboot-desired-state-1"
_HEAD_SIZE = len(_WORD) + 1 + 2 * SIGNATURE_BYTES + 1
_VALUES_LIMIT = 250_000
_FORMAT = 1
_NAME_LIMIT = 200
_NUMBER_LIMIT = 1 << 53
_TIME_LIMIT = 1 << 40
_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")


class Refusal(StrEnum):
    """Why a document was refused."""

    TOO_LONG = "too long"
    MALFORMED = "malformed"
    WRONG_SIGNATURE = "wrong signature"
    NEWER_FORMAT = "newer format"
    OTHER_POINT = "another point's"
    OLDER = "older"
    SAME_NUMBER = "same number, other content"


class StateRefused(ProtocolError):
    """A document that a point does not follow; it continues with what it has."""

    def __init__(self, refusal: Refusal, message: str) -> None:
        super().__init__(message)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class DesiredState:
    """What a point shall serve, by the decision number `number`.

    `key` is the fingerprint of the point's own key: a point that was removed and added again under
    its old name follows no document of its earlier life. `images` has the digest of the manifest of
    each image's version, by image name, `defaults` image names by architecture, `deployments` image
    names by MAC address. `networks` are plain values of netboot.boot.network_settings. `valid_at`
    is epoch seconds of the site's clock.
    """

    point: str
    key: bytes
    number: int
    valid_at: int
    images: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    deployments: Mapping[str, str] = field(default_factory=dict)
    networks: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """The last document that a point followed: its number and the digest of its bytes."""

    number: int = 0
    digest: str = ""


def next_number(own: int, reported: int = 0) -> int:
    """The number of a new document.

    `own` is the site's last one, `reported` the one that the point says it follows. A site that was
    restored from a backup has forgotten numbers that its points have seen; counting from theirs,
    they follow it again.
    """
    return max(own, reported) + 1


def sign_state(state: DesiredState, key: SigningKey) -> bytes:
    """The document; equal states have equal bytes."""
    body = strict_json.canonical(
        {
            "format": _FORMAT,
            "point": state.point,
            "key": state.key.hex(),
            "number": state.number,
            "valid_at": state.valid_at,
            "images": dict(state.images),
            "defaults": dict(state.defaults),
            "deployments": dict(state.deployments),
            "networks": [dict(network) for network in state.networks],
        }
    )
    return _WORD + b" " + key.sign(_signed(body)).hex().encode() + b"\n" + body


def read_state(
    data: bytes, *, site: PublicKey, point: str, key: PublicKey, seen: Seen
) -> DesiredState:
    """The document as the point `point` with the key `key` may follow it. Raises StateRefused."""
    if len(data) > SIZE_LIMIT:
        raise StateRefused(
            Refusal.TOO_LONG,
            f"the desired state has {len(data)} bytes; at most {SIZE_LIMIT} are read",
        )
    head, body = data[:_HEAD_SIZE], data[_HEAD_SIZE:]
    word, _, rest = head.partition(b" ")
    signature = rest[:-1].decode("latin-1")
    if word != _WORD or not rest.endswith(b"\n") or not is_hex(signature, SIGNATURE_BYTES):
        raise StateRefused(Refusal.MALFORMED, "this is no desired state of netboot")
    if not site.signed(bytes.fromhex(signature), _signed(body)):
        raise StateRefused(
            Refusal.WRONG_SIGNATURE, "the desired state is not signed by the site of this point"
        )
    try:
        state = _understood(body)
    except FormatError as fault:
        raise StateRefused(Refusal.MALFORMED, str(fault)) from fault
    if (state.point, state.key) != (point, key.fingerprint):
        raise StateRefused(
            Refusal.OTHER_POINT,
            f"the desired state is for the point {state.point}, not for this one",
        )
    _require_newer(state.number, data, seen)
    return state


def seen_in(state: DesiredState, data: bytes) -> Seen:
    """What a point stores before it follows a document, so that it never follows an older one."""
    return Seen(state.number, digest_of(data))


def _signed(body: bytes) -> bytes:
    return _WORD + b"\n" + body


def _require_newer(number: int, data: bytes, seen: Seen) -> None:
    if number < seen.number:
        raise StateRefused(
            Refusal.OLDER,
            f"the desired state has number {number}, but number {seen.number} was followed already",
        )
    if number == seen.number and digest_of(data) != seen.digest:
        raise StateRefused(
            Refusal.SAME_NUMBER,
            f"another desired state with number {number} was followed already",
        )


def _understood(body: bytes) -> DesiredState:
    what = "the desired state"
    value = strict_json.parse_object(body, what, size=SIZE_LIMIT, values=_VALUES_LIMIT)
    if (form := _count(value, "format", _NUMBER_LIMIT)) != _FORMAT:
        raise StateRefused(
            Refusal.NEWER_FORMAT,
            f"the desired state has format {form}; this netboot knows {_FORMAT}: update it",
        )
    point, key, networks = value.get("point"), value.get("key"), value.get("networks")
    if not _is_name(point) or not is_hex(key, FINGERPRINT_BYTES):
        raise FormatError(f"{what} has no point or key")
    if not isinstance(networks, list) or not all(isinstance(one, dict) for one in networks):
        raise FormatError(f"{what} has no list of networks")
    images = _names(value, "images")
    for name, digest in images.items():
        oci.check_digest(digest, f"the image {name} in {what}")
    deployments = _names(value, "deployments")
    if wrong := next((mac for mac in deployments if not _MAC.fullmatch(mac)), None):
        raise FormatError(f"{what} has a deployment to {wrong[:40]!r}, which is no MAC address")
    return DesiredState(
        point=str(point),
        key=bytes.fromhex(str(key)),
        number=_count(value, "number", _NUMBER_LIMIT),
        valid_at=_count(value, "valid_at", _TIME_LIMIT),
        images=images,
        defaults=_names(value, "defaults"),
        deployments=deployments,
        networks=tuple(networks),
    )


def _names(value: Mapping[str, Any], part: str) -> dict[str, str]:
    found = value.get(part)
    if not isinstance(found, dict) or not all(map(_is_name, (*found, *found.values()))):
        raise FormatError(f"the desired state has no {part}, or one that is no name")
    return found


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _NAME_LIMIT and value.isprintable()


def _count(value: Mapping[str, Any], part: str, limit: int) -> int:
    found = value.get(part)
    if type(found) is not int or not 0 < found < limit:
        raise FormatError(f"the desired state has no {part}")
    return found
