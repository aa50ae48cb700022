"""Keys of a site and of its points: Ed25519 (RFC 8032), by the library `cryptography`."""

import hashlib
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from netboot.errors import FormatError

KEY_BYTES = 32
SIGNATURE_BYTES = 64
FINGERPRINT_BYTES = 16
"""128 bits: another key with the same ones cannot be found."""

_KIND = "ed25519:"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """Who signed something. `raw` are its 32 bytes."""

    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != KEY_BYTES:
            raise ValueError(f"an Ed25519 key has {KEY_BYTES} bytes, not {len(self.raw)}")

    @property
    def text(self) -> str:
        return _KIND + self.raw.hex()

    @staticmethod
    def from_text(text: object) -> "PublicKey":
        """Raises FormatError."""
        digits = text.removeprefix(_KIND) if isinstance(text, str) else ""
        if text != _KIND + digits or not is_hex(digits, KEY_BYTES):
            raise FormatError(f"this is no public key: {str(text)[:80]!r}")
        return PublicKey(bytes.fromhex(digits))

    @property
    def fingerprint(self) -> bytes:
        """What identifies the key where 32 bytes are too long."""
        return hashlib.sha256(b"netboot key\n" + self.raw).digest()[:FINGERPRINT_BYTES]

    def signed(self, signature: bytes, message: bytes) -> bool:
        """Whether the owner of this key signed these bytes."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The secret part. `seed` are 32 random bytes, which the caller makes and keeps."""

    seed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.seed) != KEY_BYTES:
            raise ValueError(f"an Ed25519 seed has {KEY_BYTES} bytes, not {len(self.seed)}")

    @property
    def public(self) -> PublicKey:
        return PublicKey(self._private.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """The signature: the same one each time for the same bytes."""
        return self._private.sign(message)

    @property
    def _private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)


def is_hex(text: object, size: int) -> bool:
    """Whether this is `size` bytes in hex digits of lower case: one way to write each value."""
    return (
        isinstance(text, str)
        and len(text) == 2 * size
        and all(digit in "0123456789abcdef" for digit in text)
    )
