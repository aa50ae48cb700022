"""Certificates of the page."""

from datetime import timedelta

import pytest
from cryptography import x509

from netboot import tls
from netboot.errors import InvalidInput
from netboot.site import Site


def site_with(folder, text):
    site = Site.open(folder)
    (folder / "netboot.toml").write_text(text)
    return site


def test_without_tls_there_is_no_certificate(tmp_path):
    assert tls.certificate_of(Site.open(tmp_path / "data")) is None


def test_a_certificate_is_made_once_with_the_names_of_the_machine(tmp_path):
    """Its key can be read by the owner alone."""
    site = site_with(tmp_path, 'tls = "self-signed"\ntrusted_hosts = ["boot.lab.example"]\n')
    made = tls.certificate_of(site)
    names = x509.load_pem_x509_certificate(made.certificate.read_bytes()).extensions
    found = names.get_extension_for_class(x509.SubjectAlternativeName).value

    assert tls.certificate_of(site) == made
    assert {"localhost", "boot.lab.example"} <= set(found.get_values_for_type(x509.DNSName))
    assert "127.0.0.1" in map(str, found.get_values_for_type(x509.IPAddress))
    assert made.key.stat().st_mode & 0o777 == 0o600
    assert len(made.fingerprint) == 95


def test_a_certificate_that_ends_soon_is_made_anew(tmp_path, monkeypatch):
    """At the start of the page, a month before."""
    site = site_with(tmp_path, 'tls = "self-signed"\n')
    monkeypatch.setattr(tls, "LIFE", timedelta(days=29))
    first = tls.certificate_of(site)
    monkeypatch.undo()
    second = tls.certificate_of(site)

    assert first.fingerprint != second.fingerprint
    assert tls.certificate_of(site).fingerprint == second.fingerprint


def test_files_that_do_not_belong_together_are_refused(tmp_path):
    """Before anything is opened, with what to do."""
    one = tls.certificate_of(site_with(tmp_path / "a", 'tls = "self-signed"\n'))
    two = tls.certificate_of(site_with(tmp_path / "b", 'tls = "self-signed"\n'))
    text = f'tls = "files"\ntls_certificate = "{one.certificate}"\ntls_key = "{two.key}"\n'
    with pytest.raises(InvalidInput, match="cannot be used"):
        tls.certificate_of(site_with(tmp_path / "c", text))
    good = text.replace(str(two.key), str(one.key))
    assert one.fingerprint == tls.certificate_of(site_with(tmp_path / "d", good)).fingerprint


def test_files_that_are_not_named_are_asked_for(tmp_path):
    """tls = "files" alone is not enough."""
    with pytest.raises(InvalidInput, match="needs tls_certificate and tls_key"):
        tls.certificate_of(site_with(tmp_path, 'tls = "files"\n'))
