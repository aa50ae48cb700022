"""The join token: what an administrator carries from the site to a new point.

It is 56 letters and digits in seven groups: a version, a secret of 128 bits, the fingerprint of the
site's key and a checksum. The alphabet has no I, L, O and U (Crockford's base 32), so that it can
be read out and typed; case, spaces and hyphens do not matter. The checksum finds each wrong
character and each two that were exchanged before anything is sent.

A token has no time in it. Whether it has expired is judged by the site that issued it, with the
clock that it was issued by: a new machine whose clock is off by a day must be able to join.
"""

import binascii
import hashlib
import re
from dataclasses import dataclass, field

from netboot.errors import InvalidInput
from netboot.images.points.keys import FINGERPRINT_BYTES

SECRET_BYTES = 16

_VERSION = 1
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_READ_AS = str.maketrans("OIL", "011")
_SIZE = 1 + SECRET_BYTES + FINGERPRINT_BYTES + 2
_LETTERS = _SIZE * 8 // 5
_GROUP = 8
_HINT = "Copy it again from the page Distribution Points of the site. Nothing was sent."


@dataclass(frozen=True, slots=True)
class JoinToken:
    """`secret` are 16 random bytes, which the caller makes; `site` is a key's fingerprint."""

    secret: bytes = field(repr=False)
    site: bytes

    def __post_init__(self) -> None:
        if (len(self.secret), len(self.site)) != (SECRET_BYTES, FINGERPRINT_BYTES):
            raise ValueError("the secret or the fingerprint of a join token has another size")

    @property
    def text(self) -> str:
        """As it is shown, once, on the page."""
        data = bytes([_VERSION]) + self.secret + self.site
        number = int.from_bytes(data + _checksum(data))
        letters = "".join(
            _ALPHABET[number >> 5 * place & 31] for place in reversed(range(_LETTERS))
        )
        return "-".join(letters[at : at + _GROUP] for at in range(0, _LETTERS, _GROUP))

    @property
    def identifier(self) -> str:
        """By which the site finds the token; it says nothing about the secret."""
        return hashlib.sha256(b"netboot join identifier\n" + self.secret).hexdigest()[:32]

    @property
    def proof_key(self) -> bytes:
        """What both sides know; the site stores this one, so a copy of its database is no token."""
        return hashlib.sha256(b"netboot join proof\n" + self.secret).digest()

    @staticmethod
    def from_text(text: str) -> "JoinToken":
        """Raises InvalidInput for a token that was mistyped or cut off."""
        letters = re.sub(r"[\s-]", "", text).upper().translate(_READ_AS)
        if len(letters) != _LETTERS:
            raise InvalidInput(
                f"the join token has {len(letters)} letters and digits instead of {_LETTERS}",
                hint=_HINT,
            )
        if strange := next((one for one in letters if one not in _ALPHABET), ""):
            raise InvalidInput(
                f"the join token contains {strange!r}, which no token has", hint=_HINT
            )
        number = 0
        for letter in letters:
            number = number << 5 | _ALPHABET.index(letter)
        whole = number.to_bytes(_SIZE)
        data, checksum = whole[:-2], whole[-2:]
        if _checksum(data) != checksum:
            raise InvalidInput("the join token was mistyped: its checksum is wrong", hint=_HINT)
        if data[0] != _VERSION:
            raise InvalidInput(
                "the join token is from another version of netboot",
                hint="Install the same version of netboot here as on the site.",
            )
        return JoinToken(data[1 : 1 + SECRET_BYTES], data[1 + SECRET_BYTES :])


def _checksum(data: bytes) -> bytes:
    """CRC-16: it finds all errors within 16 bits, so each letter and each exchanged pair."""
    return binascii.crc_hqx(data, 0xFFFF).to_bytes(2)
