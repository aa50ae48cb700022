"""netboot.formats.security_catalog: made here, and signed by osslsigncode."""

import subprocess
from hashlib import sha1, sha256
from shutil import which

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netboot.errors import FormatError
from netboot.formats import pe
from netboot.formats.security_catalog import MAX_BYTES, members
from tests.formats.catalogs import (
    SIGNED_DATA,
    TRUST_LIST,
    authenticode,
    catalog,
    der,
    member,
    oid,
    sequence,
)
from tests.formats.programs import program

DIGESTS = [sha256(b"one").digest(), sha1(b"two").digest(), sha256(b"three").digest()]


def test_members():
    """The digests of files and programs, SHA-1 and SHA-256."""
    data = catalog(*(member(digest, program=n == 1) for n, digest in enumerate(DIGESTS)))
    assert set(DIGESTS) == members(data)


def test_many_members():
    """A catalog of a large pack: lengths of three bytes."""
    digests = [sha256(bytes([n % 256, n // 256])).digest() for n in range(3000)]
    assert set(digests) == members(catalog(*(member(d, program=False) for d in digests)))


def test_an_octet_string_may_hold_the_list():
    """CMS puts content into an octet string, PKCS #7 does not."""
    trust_list = sequence(
        sequence(oid("1.3.6.1.4.1.311.12.1.1")),
        der(0x17, b"260101000000Z"),
        sequence(oid("1.3.6.1.4.1.311.12.1.3"), der(0x05)),
        sequence(member(DIGESTS[0], program=False)),
    )
    wrapped = sequence(
        oid(SIGNED_DATA),
        der(
            0xA0,
            sequence(
                der(0x02, b"\1"),
                der(0x31),
                sequence(oid(TRUST_LIST), der(0xA0, der(0x04, trust_list))),
            ),
        ),
    )
    assert {DIGESTS[0]} == members(wrapped)


def test_what_osslsigncode_signs_and_accepts(tmp_path):
    """A foreign tool signs a catalog, finds a program in it, and we read the same member."""
    if not (which("osslsigncode") and which("openssl")):
        pytest.skip("osslsigncode is not installed")
    code = program("amd64", payload=bytes(range(256)) * 8)
    facts = pe.parse(code, size=len(code))
    digest = authenticode(code, facts.unsigned_spans)
    (tmp_path / "a.sys").write_bytes(code)
    (tmp_path / "plain.cat").write_bytes(catalog(member(digest, program=True)))
    run = lambda *argv: subprocess.run(  # noqa: E731
        argv, cwd=tmp_path, check=False, capture_output=True, text=True
    )
    key = ["-newkey", "rsa:2048", "-nodes", "-keyout", "k.pem", "-out", "c.pem"]
    assert run("openssl", "req", "-x509", *key, "-days", "9", "-subj", "/CN=T").returncode == 0
    names = ["-in", "plain.cat", "-out", "signed.cat"]
    sign = run("osslsigncode", "sign", "-certs", "c.pem", "-key", "k.pem", "-h", "sha256", *names)
    if "Unrecognized file type" in sign.stdout + sign.stderr:
        pytest.skip("this osslsigncode (Debian 12's is 2.5) signs no catalog that has no signature")
    assert sign.returncode == 0, sign.stdout + sign.stderr
    verify = run("osslsigncode", "verify", "-catalog", "signed.cat", "-in", "a.sys")
    assert f"Calculated message digest : {digest.hex().upper()}" in verify.stdout
    assert {digest} == members((tmp_path / "signed.cat").read_bytes())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"Lab PE: this catalog file has no signature.\r\n",
        sequence(),
        sequence(oid(SIGNED_DATA)),
        sequence(oid(SIGNED_DATA), der(0xA0)),
        sequence(oid("1.2.3"), der(0xA0, sequence())),
        sequence(oid(SIGNED_DATA), der(0xA0, sequence(der(0x02, b"\1")))),
        b"\x30\x80" + catalog()[2:],
        b"\x30\x85\1\1\1\1\1",
        bytes(MAX_BYTES + 1),
    ],
    ids=range(10),
)
def test_what_is_no_catalog(data):
    """Text, other DER, indefinite and impossible lengths."""
    with pytest.raises(FormatError):
        members(data)


def test_cut_anywhere():
    """A catalog that is cut off vouches for nothing."""
    data = catalog(member(DIGESTS[0], program=True))
    for cut in range(len(data)):
        with pytest.raises(FormatError):
            members(data[:cut])


@given(st.binary(max_size=200), st.integers(0, 300), st.binary(max_size=4))
def test_any_bytes(data, at, change):
    """Members or a FormatError."""
    good = catalog(member(DIGESTS[0], program=True))
    for bad in (data, sequence(oid(SIGNED_DATA), der(0xA0, data)), good[:at] + change + good[at:]):
        try:
            members(bad)
        except FormatError:
            continue
