"""The options that a client requests and what we grant: the terms of one transfer.

RFC 2348 (blksize), RFC 2349 (tsize, timeout), RFC 7440 (windowsize), and Microsoft's msftwindow.
Law: an option that is unknown, malformed or out of range is not acknowledged, but never aborts
a request that can be served without it (RFC 2347).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

DEFAULT_BLOCK_SIZE = 512
MICROSOFT_ASKS = 31416
MICROSOFT_ANSWER = 27182


@dataclass(frozen=True, slots=True)
class OptionLimits:
    """The most that we grant. Sizes in bytes, times in seconds.

    A block of 1468 bytes fills a 1500-byte MTU (IP 20, UDP 8, TFTP 4) without IP fragments;
    RFC 2348 allows 65464.
    """

    max_block_size: int = 1468
    max_window: int = 64
    max_flight: int = 256 * 1024
    max_timeout: int = 30
    microsoft_window: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
    """The agreement of client and server. `accepted` goes into the OACK, in the client's order.

    `timeout` is None unless it was negotiated. With `variable_window` every ACK carries one more
    byte, the size of the next window (Microsoft's boot manager).
    """

    block_size: int = DEFAULT_BLOCK_SIZE
    window: int = 1
    timeout: int | None = None
    variable_window: bool = False
    accepted: Mapping[str, bytes] = field(default_factory=dict)


def negotiate(asked: Mapping[str, bytes], *, size: int, limits: OptionLimits) -> Terms:
    """The terms for a file of `size` bytes on the wire (netascii makes text longer)."""
    block_size = _number(asked, "blksize", 8)
    if block_size is not None:
        block_size = min(block_size, limits.max_block_size, 65464)
    window = _number(asked, "windowsize", 1)
    if window is not None:
        most = max(1, limits.max_flight // (block_size or DEFAULT_BLOCK_SIZE))
        window = min(window, limits.max_window, most)
    timeout = _number(asked, "timeout", 1, limits.max_timeout)
    variable = limits.microsoft_window and asked.get("msftwindow") == b"%d" % MICROSOFT_ASKS
    granted = {
        "blksize": block_size,
        "windowsize": window,
        "timeout": timeout,
        # Not for an empty file: curl 7.88 takes `tsize` 0 in an OACK for an error.
        "tsize": size or None if _number(asked, "tsize", 0) is not None else None,
        "msftwindow": MICROSOFT_ANSWER if variable else None,
    }
    accepted = {name: b"%d" % value for name in asked if (value := granted.get(name)) is not None}
    return Terms(
        block_size=block_size or DEFAULT_BLOCK_SIZE,
        window=window or 1,
        timeout=timeout,
        variable_window=variable,
        accepted=accepted,
    )


def _number(
    asked: Mapping[str, bytes], name: str, least: int, most: int | None = None
) -> int | None:
    """An option's value if it is plain decimal digits within the bounds."""
    value = asked.get(name, b"")
    if not value.isdigit() or len(value) > 20:
        return None
    number = int(value)
    return number if number >= least and (most is None or number <= most) else None
