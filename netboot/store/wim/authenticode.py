"""Which of Microsoft's authorities signed a boot loader: machines trust either or both.

Loaders are only read, since Secure Boot refuses one with a changed byte. The firmware checks the
signature; netboot shows which authority it must trust.
"""

import struct
import warnings

from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import NameOID

from netboot.errors import FormatError
from netboot.formats import pe
from netboot.images.boot_image.uefi_loader import AUTHORITIES

_CERTIFICATE_HEADER = struct.Struct("<IHH")
_PKCS_SIGNED_DATA = 2

_YEARS = {certificate: year for year, certificate in AUTHORITIES.items()}


def signer_of(data: bytes) -> str:
    """The authority: "2011", "2023", "other", or "" for unsigned."""
    try:
        where = pe.parse(data[: pe.HEADER_BYTES], size=len(data)).signature
    except FormatError:
        return ""
    if where is None:
        return ""
    start, length = where
    # WIN_CERTIFICATE of wintrust.h: its length includes these eight bytes.
    size, _revision, kind = _CERTIFICATE_HEADER.unpack_from(data, start)
    if kind != _PKCS_SIGNED_DATA or not _CERTIFICATE_HEADER.size < size <= length:
        return "other"
    return _authority(data[start + _CERTIFICATE_HEADER.size : start + size])


def _authority(signed_data: bytes) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # vendors' certificates are rarely strict DER
            certificates = pkcs7.load_der_pkcs7_certificates(signed_data)
    except ValueError:
        return "other"
    # The authority is the issuer of the loader's own certificate.
    for certificate in certificates:
        for name in certificate.issuer.get_attributes_for_oid(NameOID.COMMON_NAME):
            if year := _YEARS.get(str(name.value)):
                return year
    return "other"
