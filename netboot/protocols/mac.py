"""MAC addresses as people and programs write them, and the one spelling that we store."""

import re

from netboot.errors import InvalidInput

_SPELLINGS = re.compile(
    r"[0-9a-f]{2}([:-])[0-9a-f]{2}(?:\1[0-9a-f]{2}){4}"  # Linux and iPXE; Windows
    r"|[0-9a-f]{4}([.-])[0-9a-f]{4}\2[0-9a-f]{4}"  # switches: 5254.0012.3456
    r"|[0-9a-f]{12}"  # labels on cases
)


def read_mac(text: str) -> str:
    """The address as `52:54:00:12:34:56`; empty for anything that is not a MAC address."""
    written = text.strip().lower()
    if not _SPELLINGS.fullmatch(written):
        return ""
    return bytes.fromhex(re.sub("[:.-]", "", written)).hex(":")


def require_mac(text: str) -> str:
    """The address as `52:54:00:12:34:56`. Raises InvalidInput."""
    mac = read_mac(text)
    if not mac:
        raise InvalidInput(
            f"{text[:40]!r} is not a MAC address",
            hint="Write it like 52:54:00:12:34:56, 52-54-00-12-34-56 or 5254.0012.3456.",
        )
    return mac


def is_mac(text: str) -> bool:
    """Whether this is a MAC address in the spelling that we store."""
    return read_mac(text) == text != ""
