"""Reports of boot images: their tokens, and the event for a report.

A report comes from a machine that an attacker may control: each field has a maximum length, numbers
have a range, and fields of the wrong type are left out.
"""

import ipaddress
import json
import math
import time
from dataclasses import dataclass, field
from typing import Any

from itsdangerous import BadData, URLSafeSerializer, URLSafeTimedSerializer

from netboot.boot.files.names import Refusal
from netboot.boot.told.events import Event, PeReported
from netboot.images.versions.content_version import ContentVersion, PublishedContent
from netboot.protocols.mac import read_mac
from netboot.protocols.printable import printable_text

LIFETIME_SECONDS = 6 * 3600
WAYS = frozenset({"iso", "usb", "disk", "package"})
"""How a machine gets a boot image without the network."""
LONGEST_FIELD = 2000
LARGEST_NUMBER = 2**31 - 1

_NOT_OURS = 2  # RFC 1350's "access violation", which HTTP calls 403


@dataclass(frozen=True, slots=True)
class ReportTokens:
    """Issues and checks signed tokens, which name an image, its version and a machine."""

    secret: str = field(repr=False)

    def issue(self, version: ContentVersion, mac: str) -> str:
        """A token for one boot of `version` on the machine `mac` (may be empty)."""
        return self._signer().dumps([version.address, version.number, mac])

    def issue_lasting(self, version: ContentVersion, way: str) -> str:
        """A token for media and disks, which may be used for years: it does not expire.

        It names the version and the way, but no machine. The same version and way give the same
        token, so that media can be reproduced byte for byte.
        """
        return self._lasting().dumps([version.address, version.number, way])

    def issue_for(self, address: str, number: int) -> str:
        """A token inside a version: it is valid while the point serves that image.

        Everyone who can read the image has it, and it only permits reports. The same version gives
        the same token, so that it can be reproduced byte for byte.
        """
        return self._of_versions().dumps([address, number])

    def read_for(self, token: str) -> tuple[str, int] | None:
        """Address and number of a token from `issue_for`; else None."""
        try:
            address, number = self._of_versions().loads(token)
        except (BadData, ValueError, TypeError):
            return None
        return str(address), int(number)

    def read_lasting(self, token: str) -> tuple[str, int, str] | None:
        """Address, number and way of a token from `issue_lasting`; else None."""
        try:
            address, number, way = self._lasting().loads(token)
        except (BadData, ValueError, TypeError):
            return None
        return (str(address), int(number), str(way)) if way in WAYS else None

    def read(self, token: str) -> tuple[str, int, str] | None:
        """Address, number and MAC of a token from `issue` that has not expired; else None."""
        try:
            address, number, mac = self._signer().loads(token, max_age=LIFETIME_SECONDS)
        except (BadData, ValueError, TypeError):
            return None
        return str(address), int(number), str(mac)

    def _of_versions(self) -> URLSafeSerializer:
        return URLSafeSerializer(self.secret, salt="report-of-version")

    def _lasting(self) -> URLSafeSerializer:
        return URLSafeSerializer(self.secret, salt="report-of-media")

    def _signer(self) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(self.secret, salt="report")


@dataclass(frozen=True, slots=True)
class _Sender:
    """The content of a token: image address, version, machine (may be empty), way."""

    address: str
    number: int
    mac: str = ""
    way: str = ""


def read_report(
    tokens: ReportTokens, token: str, body: bytes, ip: str, published: PublishedContent
) -> Event | Refusal:
    """The event for a report.

    Image and version are those in the machine's WIM, since they prove what it runs; without them
    (an image without our files), those of the token. The machine is that of the token: Windows PE
    may report through another network card than the one that booted. A renamed image has its
    current name.
    """
    sender = _sender(tokens, token, published)
    if isinstance(sender, Refusal):
        return sender
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return Refusal("a report that is not JSON", _NOT_OURS)
    if not isinstance(said, dict):
        return Refusal("a report that is not a JSON object", _NOT_OURS)
    found = _text(said, "image")
    return PeReported(
        at=time.time(),
        mac=sender.mac or read_mac(_text(said, "mac")),
        ip=_address(_text(said, "ip")) or ip,
        image=_image_now(sender, found, published),
        version=(int(_number(said, "version")) if found else 0) or sender.number,
        driver=_names(said, "driver"),
        device=_text(said, "device"),
        architecture=_text(said, "arch"),
        firmware=_text(said, "firmware"),
        missing=_names(said, "missing"),
        disks=_text(said, "disks"),
        devices=_text(said, "devices"),
        uptime=_number(said, "uptime"),
        raw=body.decode("utf-8", "replace")[:LONGEST_FIELD],
        way=sender.way,
    )


def _sender(tokens: ReportTokens, token: str, published: PublishedContent) -> _Sender | Refusal:
    if (lasting := tokens.read_lasting(token)) is not None:
        return _Sender(lasting[0], lasting[1], way=lasting[2])
    if (written := tokens.read_for(token)) is not None:
        if written[0] not in published.names:
            return Refusal("a report of an image that is no longer served here", _NOT_OURS)
        return _Sender(*written)
    if (brief := tokens.read(token)) is not None:
        return _Sender(*brief)
    return Refusal("a report with an invalid or expired token", _NOT_OURS)


def _image_now(sender: _Sender, found: str, published: PublishedContent) -> str:
    """The current name of the image that reports.

    `found` is the name in its WIM. If it differs from the token's image, the machine runs another
    image than it was sent, and that is the one that reports.
    """
    name = published.names.get(sender.address, "")
    version = published.kept.get((name, sender.number))
    if not found or (name and version is None):
        return name or found or sender.address
    if version is not None and found == (version.built_as or version.image):
        return name
    return found


def _text(said: dict[str, Any], name: str) -> str:
    value = said.get(name)
    return printable_text(value, LONGEST_FIELD) if isinstance(value, str) else ""


def _names(said: dict[str, Any], name: str) -> str:
    """A list of INFs. Of a longer one its end is kept: network drivers come last."""
    value = said.get(name)
    if not isinstance(value, str) or len(value) <= LONGEST_FIELD:
        return _text(said, name)
    kept = printable_text(value[1 - LONGEST_FIELD :], LONGEST_FIELD)
    return "…" + kept[max(0, kept.find(" ")) :]


def _number(said: dict[str, Any], name: str) -> float:
    """A number that fits into a database column; 0 for everything else (NaN, text, lists)."""
    value = said.get(name)
    if isinstance(value, str):
        value = int(value) if value.isdecimal() and len(value) < 12 else 0
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    if isinstance(value, float) and not math.isfinite(value):
        return 0.0
    return float(value) if 0 <= value <= LARGEST_NUMBER else 0.0


def _address(text: str) -> str:
    """An IPv4 address, with or without a prefix length; else empty."""
    try:
        return str(ipaddress.IPv4Address(text.partition("/")[0]))
    except ValueError:
        return ""
