"""netboot.store.drivers.file_description: one reading, and digests that catalog files know."""

import subprocess
from hashlib import sha1, sha256
from shutil import which

import pytest

from netboot.errors import FormatError
from netboot.formats import pe, security_catalog
from netboot.store.drivers import file_description as file_facts
from netboot.store.drivers.file_description import catalog_members, examine
from tests.formats.catalogs import authenticode
from tests.formats.programs import program
from tests.images.drivers.packages import catalog_for


def examined(tmp_path, data, name="a.sys"):
    path = tmp_path / "file"
    path.write_bytes(data)
    return examine(path, name)


@pytest.mark.parametrize("size", [0, 1, 1000, (1 << 20) - 1, 1 << 20, (1 << 20) + 1])
def test_digest_and_size(tmp_path, size):
    """Of the bytes, however many."""
    data = b"x" * size
    facts = examined(tmp_path, data, "a.dll")
    assert (f"sha256:{sha256(data).hexdigest()}", size, "", False, frozenset()) == (
        facts.digest,
        facts.size,
        facts.machine,
        facts.signed,
        facts.names,
    )


def test_an_inf_is_known_by_its_bytes(tmp_path):
    """SHA-1 and SHA-256."""
    data = b"[Version]\r\n" * 3
    assert {sha1(data).digest(), sha256(data).digest()} == examined(tmp_path, data, "A.INF").names


@pytest.mark.parametrize("chunk", [1, 7, 64, 400, 1 << 20])
@pytest.mark.parametrize("payload", [b"", b"12345678", b"odd"])
@pytest.mark.parametrize("signed", [True, False])
def test_a_program_is_known_by_its_authenticode_digest(
    tmp_path, monkeypatch, chunk, payload, signed
):
    """Wherever the chunks of the reading end; the header must lie in the first one."""
    data = program("amd64", signed=signed, payload=payload)
    spans = pe.parse(data, size=len(data)).unsigned_spans
    monkeypatch.setattr(file_facts, "_CHUNK", chunk)
    monkeypatch.setattr(file_facts, "_program", lambda head, size: pe.parse(data, size=size))
    assert authenticode(data, spans) in examined(tmp_path, data).names


def test_signing_does_not_change_the_name(tmp_path):
    """osslsigncode signs a program; a catalog file made before still knows it."""
    if not (which("osslsigncode") and which("openssl")):
        pytest.skip("osslsigncode is not installed")
    data = program("amd64", payload=bytes(4096))
    before = examined(tmp_path, data)
    key = ["-newkey", "rsa:2048", "-nodes", "-keyout", "k.pem", "-out", "c.pem"]
    for argv in (
        ["openssl", "req", "-x509", *key, "-days", "9", "-subj", "/CN=T"],
        ["osslsigncode", "sign", "-certs", "c.pem", "-key", "k.pem", "-in", "file", "-out", "s"],
    ):
        subprocess.run(argv, cwd=tmp_path, check=True, capture_output=True)
    after = examine(tmp_path / "s", "a.sys")
    assert (before.signed, after.signed, before.digest != after.digest) == (False, True, True)
    assert before.names & after.names


def test_catalog_members(tmp_path):
    """A catalog file's members, or a refusal where it is none or too large."""
    path = tmp_path / "a.cat"
    path.write_bytes(catalog_for({"a.inf": b"text"}))
    assert {sha256(b"text").digest()} == catalog_members(path)
    path.write_bytes(b"text")
    with pytest.raises(FormatError):
        catalog_members(path)
    with path.open("wb") as file:
        file.truncate(security_catalog.MAX_BYTES + 1)
    with pytest.raises(FormatError, match="too large"):
        catalog_members(path)
