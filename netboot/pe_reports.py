"""Reports home: the token that a boot image shows, and the event that its report becomes.

A report comes from a machine that anybody may have got at: every field is cut to size, a number
is a number that fits, and what is no text is left out.
"""

import ipaddress
import json
import math
import time
from dataclasses import dataclass
from typing import Any

from itsdangerous import BadData, URLSafeSerializer, URLSafeTimedSerializer

from netboot.boot.files.names import Refusal
from netboot.boot.told.events import Event, PeReported
from netboot.images.versions.content_version import ContentVersion, PublishedContent
from netboot.protocols.mac import read_mac
from netboot.protocols.printable import printable_text

LIFETIME_SECONDS = 6 * 3600
WAYS = frozenset({"iso", "usb", "disk", "package"})
"""How a boot image comes to a machine that does not boot by the network."""
LONGEST_FIELD = 2000
LARGEST_NUMBER = 2**31 - 1

_NOT_OURS = 2  # RFC 1350's "access violation", which HTTP calls 403


@dataclass(frozen=True, slots=True)
class ReportTokens:
    """Makes and checks tokens: signed, so that nobody else can name an image or a machine."""

    secret: str

    def issue(self, version: ContentVersion, mac: str) -> str:
        """A token for one boot of `mac` (may be empty) on `version`."""
        return self._signer().dumps([version.address, version.number, mac])

    def issue_lasting(self, version: ContentVersion, way: str) -> str:
        """A token for media and disks, which are started for years: it does not grow old.

        It names the version and the way that it came by, and no machine. The same version and
        way give the same token, so that media can be made again byte for byte.
        """
        return self._lasting().dumps([version.address, version.number, way])

    def issue_for(self, address: str, number: int) -> str:
        """A token that is written into a version: it holds while the point serves that image.

        Whoever reads the image has it, and all that it allows is to report. The same version
        gives the same token, so that it can be built again byte for byte.
        """
        return self._of_versions().dumps([address, number])

    def read_for(self, token: str) -> tuple[str, int] | None:
        """Address and number of a token that `issue_for` made; else None."""
        try:
            address, number = self._of_versions().loads(token)
        except (BadData, ValueError, TypeError):
            return None
        return str(address), int(number)

    def read_lasting(self, token: str) -> tuple[str, int, str] | None:
        """Address, number and way of a token that `issue_lasting` made; else None."""
        try:
            address, number, way = self._lasting().loads(token)
        except (BadData, ValueError, TypeError):
            return None
        return (str(address), int(number), str(way)) if way in WAYS else None

    def read(self, token: str) -> tuple[str, int, str] | None:
        """Address, number and MAC of a token of ours that is not too old; else None."""
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
    """What a token says: the image's address, the version, the machine (may be empty), the way."""

    address: str
    number: int
    mac: str = ""
    way: str = ""


def read_report(
    tokens: ReportTokens, token: str, body: bytes, ip: str, published: PublishedContent
) -> Event | Refusal:
    """The event that a report means.

    Image and version are those that the machine found inside its WIM, for they are the proof
    of what it runs; where it found none (an image without our files), those of the token. The
    machine is the one that the token was made for: Windows PE may report through another of its
    network cards than the one that it was booted by. An image that was renamed since is called
    what it is called now.
    """
    sender = _sender(tokens, token, published)
    if isinstance(sender, Refusal):
        return sender
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return Refusal("a report that is no JSON", _NOT_OURS)
    if not isinstance(said, dict):
        return Refusal("a report that is no JSON object", _NOT_OURS)
    found = _text(said, "image")
    return PeReported(
        at=time.time(),
        mac=sender.mac or read_mac(_text(said, "mac")),
        ip=_address(_text(said, "ip")) or ip,
        image=_image_now(sender, found, published),
        version=(int(_number(said, "version")) if found else 0) or sender.number,
        driver=_text(said, "driver"),
        device=_text(said, "device"),
        architecture=_text(said, "arch"),
        firmware=_text(said, "firmware"),
        missing=_text(said, "missing"),
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
            return Refusal("a report of an image that is not served here any more", _NOT_OURS)
        return _Sender(*written)
    if (brief := tokens.read(token)) is not None:
        return _Sender(*brief)
    return Refusal("a report with a token that is not ours or too old", _NOT_OURS)


def _image_now(sender: _Sender, found: str, published: PublishedContent) -> str:
    """What the image that reports is called now.

    `found` is the name inside its WIM. Where that is another image's than the token's, the
    machine runs something else than it was sent, and what it runs is what counts.
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
