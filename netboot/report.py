"""Reports home: the token that a boot image shows, and the event that its report becomes."""

import json
import time
from dataclasses import dataclass
from typing import Any

from itsdangerous import BadSignature, URLSafeTimedSerializer

from netboot.boot.events import Event, PeReported
from netboot.boot.files import Refusal
from netboot.images.content_version import ContentVersion

LIFETIME_SECONDS = 6 * 3600
LONGEST_FIELD = 2000


@dataclass(frozen=True, slots=True)
class ReportTokens:
    """Makes and checks tokens: signed, so that nobody else can name an image or a machine."""

    secret: str

    def issue(self, version: ContentVersion, mac: str) -> str:
        """A token for one boot of `mac` (may be empty) on `version`."""
        return self._signer().dumps([version.image, version.number, mac])

    def read(self, token: str) -> tuple[str, int, str] | None:
        """Image, number and MAC of a token of ours that is not too old; else None."""
        try:
            image, number, mac = self._signer().loads(token, max_age=LIFETIME_SECONDS)
        except (BadSignature, ValueError, TypeError):
            return None
        return str(image), int(number), str(mac)

    def _signer(self) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(self.secret, salt="report")


def read_report(tokens: ReportTokens, token: str, body: bytes, ip: str) -> Event | Refusal:
    """The event that a report means.

    Image and version are those that the machine found inside its WIM, for they are the proof
    of what it runs; where it found none (an image without our files), those of the token.
    """
    known = tokens.read(token)
    if known is None:
        return Refusal("a report with a token that is not ours or too old", code=2)
    try:
        said = json.loads(body)
    except ValueError:
        return Refusal("a report that is no JSON", code=2)
    if not isinstance(said, dict):
        return Refusal("a report that is no JSON object", code=2)
    image, number, mac = known
    return PeReported(
        at=time.time(),
        mac=_text(said, "mac").lower() or mac,
        ip=_text(said, "ip").partition("/")[0] or ip,
        image=_text(said, "image") or image,
        version=_number(said, "version") or number,
        driver=_text(said, "driver"),
        device=_text(said, "device"),
        architecture=_text(said, "arch"),
        firmware=_text(said, "firmware"),
        missing=_text(said, "missing"),
        disks=_text(said, "disks"),
        devices=_text(said, "devices"),
        uptime=float(_number(said, "uptime")),
        raw=body.decode("utf-8", "replace")[:LONGEST_FIELD],
    )


def _text(said: dict[str, Any], name: str) -> str:
    value = said.get(name, "")
    text = value if isinstance(value, str) else json.dumps(value)
    return "".join(c for c in text if c.isprintable())[:LONGEST_FIELD]


def _number(said: dict[str, Any], name: str) -> int:
    try:
        return int(float(said.get(name, 0)))
    except (TypeError, ValueError, OverflowError):
        return 0
