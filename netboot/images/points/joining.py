"""How a point joins: one request with a proof, one answer with a signature; over plain HTTP, too.

The secret of the token is never sent. The request has the point's public key, and a proof that
only an owner of the token can make for this key. The answer is signed by the site's key, whose
fingerprint is in the token. So anyone on the line can stop a point from joining, but can neither
join in its place nor become its site.
"""

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Any

from netboot.errors import FormatError, InvalidInput, NotPermitted
from netboot.formats import strict_json
from netboot.images.points.join_token import JoinToken
from netboot.images.points.keys import SIGNATURE_BYTES, PublicKey, SigningKey, is_hex

NONCE_BYTES = 16
_SIZE_LIMIT = 4096
_VALUES_LIMIT = 32
_NAME_LIMIT = 200
_REQUEST_WORD = b"netboot-join-request-1\n"
_ANSWER_WORD = b"netboot-join-answer-1\n"
_MAKE_ANOTHER = "Create a new join token on the page Distribution Points of the site."


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """What the site knows of a token: for which point, until when, and who has used it.

    `expires_at` is epoch seconds of the site's clock.
    """

    identifier: str
    proof_key: bytes = field(repr=False)
    point: str
    expires_at: float
    used_by: PublicKey | None = None


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """A point asks to join. `nonce` makes each answer good for one request only."""

    identifier: str
    key: PublicKey
    nonce: bytes
    proof: bytes


def make_request(token: JoinToken, key: PublicKey, nonce: bytes) -> bytes:
    """`nonce` are 16 random bytes, which the caller makes."""
    return strict_json.canonical(
        {
            "token": token.identifier,
            "key": key.text,
            "nonce": nonce.hex(),
            "proof": _proof(token.proof_key, key, nonce).hex(),
        }
    )


def read_request(data: bytes) -> JoinRequest:
    """Raises FormatError."""
    what = "the request to join"
    value = strict_json.parse_object(data, what, size=_SIZE_LIMIT, values=_VALUES_LIMIT)
    sizes = {"token": 16, "nonce": NONCE_BYTES, "proof": hashlib.sha256().digest_size}
    for part, size in sizes.items():
        if not is_hex(value.get(part), size):
            raise FormatError(f"{what} has no {part} of {size} bytes in hex digits")
    return JoinRequest(
        identifier=value["token"],
        key=PublicKey.from_text(value.get("key")),
        nonce=bytes.fromhex(value["nonce"]),
        proof=bytes.fromhex(value["proof"]),
    )


def check_request(request: JoinRequest, issued: IssuedToken | None, now: float) -> IssuedToken:
    """The token that lets this point join. `issued` is the one with the request's identifier.

    The key that used a token may use it again while it is valid: the answer to its first request
    may have been lost. Raises NotPermitted or InvalidInput.
    """
    if issued is None:
        raise NotPermitted("the site does not know this join token", hint=_MAKE_ANOTHER)
    proof = _proof(issued.proof_key, request.key, request.nonce)
    if not hmac.compare_digest(proof, request.proof):
        raise NotPermitted(
            "the request to join was not made with the join token", hint=_MAKE_ANOTHER
        )
    if issued.used_by is not None and issued.used_by != request.key:
        raise NotPermitted(
            f"the join token of {issued.point} was used by another machine",
            hint=f"If you did not do that, remove the point {issued.point}. {_MAKE_ANOTHER}",
        )
    if now >= issued.expires_at:
        raise InvalidInput(f"the join token of {issued.point} has expired", hint=_MAKE_ANOTHER)
    return issued


def make_answer(request: JoinRequest, point: str, site: SigningKey) -> bytes:
    """The point's name, signed for the one who asked."""
    signature = site.sign(_answered(site.public, point, request.key, request.nonce))
    return strict_json.canonical(
        {
            "site": site.public.text,
            "point": point,
            "signature": signature.hex(),
        }
    )


def read_answer(
    data: bytes, token: JoinToken, key: PublicKey, nonce: bytes
) -> tuple[PublicKey, str]:
    """The site's key, to be trusted from now on, and the point's name.

    Raises FormatError, or NotPermitted if the answer is from another than the token's site.
    """
    what = "the answer of the site"
    value = strict_json.parse_object(data, what, size=_SIZE_LIMIT, values=_VALUES_LIMIT)
    site, point = PublicKey.from_text(value.get("site")), value.get("point")
    if not isinstance(point, str) or not 0 < len(point) <= _NAME_LIMIT:
        raise FormatError(f"{what} has no name for this point")
    signature = value.get("signature", "")
    if not is_hex(signature, SIGNATURE_BYTES):
        raise FormatError(f"{what} has no signature")
    if not hmac.compare_digest(site.fingerprint, token.site):
        raise NotPermitted(
            "the answer is from another site than the one that issued the join token",
            hint="Check the URL. If it is right, someone may be between this machine and the"
            " site: join over another line.",
        )
    if not site.signed(bytes.fromhex(signature), _answered(site, point, key, nonce)):
        raise NotPermitted(
            "the answer was not signed by the site for this request",
            hint="Try again. If it happens again, join over another line.",
        )
    return site, point


def _proof(proof_key: bytes, key: PublicKey, nonce: bytes) -> bytes:
    return hmac.digest(proof_key, _REQUEST_WORD + key.raw + nonce, "sha256")


def _answered(site: PublicKey, point: str, key: PublicKey, nonce: bytes) -> bytes:
    parts: dict[str, Any] = {
        "site": site.text,
        "point": point,
        "key": key.text,
        "nonce": nonce.hex(),
    }
    return _ANSWER_WORD + strict_json.canonical(parts)
