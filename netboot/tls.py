"""TLS of the page: a self-signed certificate, or one from files.

A self-signed certificate keeps passwords secret on the network. Users can compare its fingerprint,
which the console prints at the start.
"""

import hashlib
import ipaddress
import os
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from netboot.errors import InvalidInput
from netboot.site import Site
from netboot.store.content.disk_faults import explain_disk_fault

if TYPE_CHECKING:
    from cryptography.x509 import GeneralName

LIFE = timedelta(days=397)
RENEWED_BEFORE = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Certificate:
    """Paths of certificate and key, and the certificate's SHA-256 fingerprint."""

    certificate: Path
    key: Path
    fingerprint: str


def certificate_of(site: Site) -> Certificate | None:
    """The page's certificate; None without TLS. Raises InvalidInput.

    A self-signed certificate is made at the first start, and renewed before it expires.
    """
    settings = site.settings
    if settings.tls == "off":
        return None
    if settings.tls == "self-signed":
        folder = site.data / "tls"
        certificate, key = folder / "certificate.pem", folder / "key.pem"
        if not _is_good(certificate, key):
            _make(folder, certificate, key, _names(site))
    else:
        assert settings.tls_certificate is not None
        assert settings.tls_key is not None
        certificate, key = settings.tls_certificate, settings.tls_key
    _require_usable(certificate, key)
    return Certificate(certificate, key, _fingerprint(certificate))


def _require_usable(certificate: Path, key: Path) -> None:
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as fault:
        raise InvalidInput(
            f"certificate {certificate} and key {key} cannot be used: {fault}",
            hint="Both must be PEM files that belong together, and netboot must be able to read"
            " them.",
        ) from fault


def _fingerprint(certificate: Path) -> str:
    der = ssl.PEM_cert_to_DER_cert(_first_pem(certificate.read_text()))
    digest = hashlib.sha256(der).hexdigest().upper()
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))


def _first_pem(text: str) -> str:
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    return begin + text.partition(begin)[2].partition(end)[0] + end + "\n"


def _names(site: Site) -> list[str]:
    own = [socket.gethostname(), socket.getfqdn(), "localhost", "127.0.0.1", "::1"]
    address = site.settings.web_address
    if address not in {"0.0.0.0", "::"}:  # noqa: S104  compared only
        own.append(address)
    return list(dict.fromkeys(name.lower() for name in (*own, *site.settings.trusted_hosts)))


def _is_good(certificate: Path, key: Path) -> bool:
    if not certificate.is_file() or not key.is_file():
        return False
    from cryptography import x509

    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
    except ValueError:
        return False
    return found.not_valid_after_utc - datetime.now(UTC) > RENEWED_BEFORE


def _make(folder: Path, certificate: Path, key: Path, names: list[str]) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    own_key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0][:64])])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(own_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + LIFE)
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), False)  # noqa: FBT003
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)  # noqa: FBT003
        .sign(own_key, hashes.SHA256())
    )
    folder.mkdir(mode=0o700, exist_ok=True)
    pem = own_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(key, pem)
    _write(certificate, made.public_bytes(serialization.Encoding.PEM))


def _write(path: Path, content: bytes) -> None:
    """Raises DiskFault."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)
    except OSError as fault:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise explain_disk_fault(fault, path.parent) from fault


def _general(name: str) -> "GeneralName":
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name.encode("idna").decode() if not name.isascii() else name)
