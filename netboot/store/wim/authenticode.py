"""Whose signature a boot loader carries: machines trust one authority, the other, or both.

Only read, never changed: a byte more in a signed loader and Secure Boot refuses it. Whether a
signature is valid is the firmware's business; we show which key it needs.
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
    """Which authority: "2011" or "2023" for Microsoft's two, "other", or "" for unsigned."""
    try:
        where = pe.parse(data[: pe.HEADER_BYTES], size=len(data)).signature
    except FormatError:
        return ""
    if where is None:
        return ""
    start, length = where
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
    for certificate in certificates:
        for name in certificate.issuer.get_attributes_for_oid(NameOID.COMMON_NAME):
            if year := _YEARS.get(str(name.value)):
                return year
    return "other"
