"""Signers of boot loaders: certificates made here, laid out as in a signed program."""

import datetime as dt
import struct

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509.oid import NameOID

from netboot.store.wim.authenticode import signer_of
from tests.samples.synthetic_winpe import pe_file

KEY = ec.generate_private_key(ec.SECP256R1())
SECURITY_DIRECTORY = {"x64": 64 + 24 + 112 + 4 * 8, "x86": 64 + 24 + 96 + 4 * 8}


def certificate(issuer: str) -> x509.Certificate:
    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    now = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name("Microsoft Windows"))
        .issuer_name(name(issuer))
        .public_key(KEY.public_key())
        .serial_number(7)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=9))
        .sign(KEY, hashes.SHA256())
    )


def signed(architecture: str, pkcs: bytes, *, kind: int = 2) -> bytes:
    """A program with a certificate table behind it."""
    program = bytearray(pe_file(architecture, b"loader" * 99))
    optional = 64 + 24
    count_at = optional + (108 if architecture == "x64" else 92)
    struct.pack_into("<I", program, count_at, 16)
    table = struct.pack("<IHH", 8 + len(pkcs), 0x200, kind) + pkcs
    struct.pack_into("<II", program, SECURITY_DIRECTORY[architecture], len(program), len(table))
    return bytes(program) + table


@pytest.mark.parametrize("architecture", ["x64", "x86"])
@pytest.mark.parametrize(
    ("issuer", "expected"),
    [
        ("Microsoft Windows Production PCA 2011", "2011"),
        ("Windows UEFI CA 2023", "2023"),
        ("Somebody Else", "other"),
    ],
)
def test_the_issuer_tells_the_authority(architecture: str, issuer: str, expected: str):
    """The certificate's issuer decides, in 32 and 64 bits."""
    pkcs = pkcs7.serialize_certificates([certificate(issuer)], Encoding.DER)

    assert signer_of(signed(architecture, pkcs)) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (pe_file("x64", b"x" * 99), ""),
        (b"no program", ""),
        (b"", ""),
        (signed("x64", b"garbage" * 9), "other"),
        (signed("x64", b"x" * 99, kind=1), "other"),
        (signed("x64", b"x" * 99)[:-50], ""),
    ],
)
def test_what_is_not_signed_by_them_says_so(data: bytes, expected: str):
    """Unsigned is empty; a signature that cannot be read is "other"."""
    assert signer_of(data) == expected
