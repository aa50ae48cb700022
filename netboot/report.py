"""Reports home: the token that a boot image shows, and the event that its report becomes.

A report comes from a machine that anybody may have got at: every field is cut to size, a number
is a number that fits, and what is no text is left out.
"""

import ipaddress
import json
import math
import re
import time
from dataclasses import dataclass
from typing import Any

from itsdangerous import BadData, URLSafeSerializer, URLSafeTimedSerializer

from netboot.boot.events import Event, PeReported
from netboot.boot.files import Refusal
from netboot.images.content_version import ContentVersion

LIFETIME_SECONDS = 6 * 3600
WAYS = frozenset({"iso", "usb", "disk", "package"})
"""How a boot image comes to a machine that does not boot by the network."""
LONGEST_FIELD = 2000
LARGEST_NUMBER = 2**31 - 1

_NOT_OURS = 2  # RFC 1350's "access violation", which HTTP calls 403
_MAC = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}")


@dataclass(frozen=True, slots=True)
class ReportTokens:
    """Makes and checks tokens: signed, so that nobody else can name an image or a machine."""

    secret: str

    def issue(self, version: ContentVersion, mac: str) -> str:
        """A token for one boot of `mac` (may be empty) on `version`."""
        return self._signer().dumps([version.image, version.number, mac])

    def issue_lasting(self, version: ContentVersion, way: str) -> str:
        """A token for media and disks, which are started for years: it does not grow old.

        It names the version and the way that it came by, and no machine. The same version and
        way give the same token, so that media can be made again byte for byte.
        """
        return self._lasting().dumps([version.image, version.number, way])

    def read_lasting(self, token: str) -> tuple[str, int, str] | None:
        """Image, number and way of a token that `issue_lasting` made; else None."""
        try:
            image, number, way = self._lasting().loads(token)
        except (BadData, ValueError, TypeError):
            return None
        return (str(image), int(number), str(way)) if way in WAYS else None

    def read(self, token: str) -> tuple[str, int, str] | None:
        """Image, number and MAC of a token of ours that is not too old; else None."""
        try:
            image, number, mac = self._signer().loads(token, max_age=LIFETIME_SECONDS)
        except (BadData, ValueError, TypeError):
            return None
        return str(image), int(number), str(mac)

    def _lasting(self) -> URLSafeSerializer:
        return URLSafeSerializer(self.secret, salt="report-of-media")

    def _signer(self) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(self.secret, salt="report")


def plain_mac(text: str) -> str:
    """A MAC address as `52:54:00:ab:cd:ef`, whichever sign parts it; empty for anything else."""
    mac = text.strip().lower().replace("-", ":")
    return mac if _MAC.fullmatch(mac) else ""


def read_report(tokens: ReportTokens, token: str, body: bytes, ip: str) -> Event | Refusal:
    """The event that a report means.

    Image and version are those that the machine found inside its WIM, for they are the proof
    of what it runs; where it found none (an image without our files), those of the token. The
    machine is the one that the token was made for: Windows PE may report through another of its
    network cards than the one that it was booted by.
    """
    lasting = tokens.read_lasting(token)
    known = tokens.read(token) if lasting is None else (*lasting[:2], "")
    if known is None:
        return Refusal("a report with a token that is not ours or too old", _NOT_OURS)
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return Refusal("a report that is no JSON", _NOT_OURS)
    if not isinstance(said, dict):
        return Refusal("a report that is no JSON object", _NOT_OURS)
    image, number, mac = known
    found = _text(said, "image")
    return PeReported(
        at=time.time(),
        mac=mac or plain_mac(_text(said, "mac")),
        ip=_address(_text(said, "ip")) or ip,
        image=found or image,
        version=(int(_number(said, "version")) if found else 0) or number,
        driver=_text(said, "driver"),
        device=_text(said, "device"),
        architecture=_text(said, "arch"),
        firmware=_text(said, "firmware"),
        missing=_text(said, "missing"),
        disks=_text(said, "disks"),
        devices=_text(said, "devices"),
        uptime=_number(said, "uptime"),
        raw=body.decode("utf-8", "replace")[:LONGEST_FIELD],
        way=lasting[2] if lasting else "",
    )


def _text(said: dict[str, Any], name: str) -> str:
    """A text field, printable and cut; lone surrogates are not printable and go as well."""
    value = said.get(name)
    if not isinstance(value, str):
        return ""
    return "".join(c for c in value[: 2 * LONGEST_FIELD] if c.isprintable())[:LONGEST_FIELD]


def _number(said: dict[str, Any], name: str) -> float:
    """A number from 0 to what any column holds; 0 for everything else (NaN, text, lists)."""
    value = said.get(name)
    if isinstance(value, str):
        value = int(value) if value.isdecimal() and len(value) < 12 else 0
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    if isinstance(value, float) and not math.isfinite(value):
        return 0.0
    return float(value) if 0 <= value <= LARGEST_NUMBER else 0.0


def _address(text: str) -> str:
    """An IPv4 address, said with or without the length of its network's prefix."""
    try:
        return str(ipaddress.IPv4Address(text.partition("/")[0]))
    except ValueError:
        return ""
