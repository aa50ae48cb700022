"""What a client asks for by options and what we grant: the terms of one transfer.

RFC 2348 (blksize), RFC 2349 (tsize, timeout), RFC 7440 (windowsize), and Microsoft's msftwindow.
Law: an option that is unknown, malformed or out of range is not acknowledged, and that is all:
no option aborts a request that can be served without it (RFC 2347).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

DEFAULT_BLOCK_SIZE = 512
MICROSOFT_ASKS = 31416
MICROSOFT_ANSWER = 27182


@dataclass(frozen=True, slots=True)
class OptionLimits:
    """The most that we grant. Sizes in bytes, times in seconds.

    1468 is what a 1500-byte MTU carries without IP fragments, in a UDP segment with room for
    a VLAN-less path's headers; RFC 2348 allows 65464.
    """

    max_block_size: int = 1468
    max_window: int = 64
    max_flight: int = 256 * 1024
    max_timeout: int = 30
    microsoft_window: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
    """What client and server agreed on. `accepted` goes into the OACK, in the client's order.

    `timeout` is None where none was negotiated. `variable_window` says that every ACK carries
    one more byte, the size of the next window (Microsoft's boot manager).
    """

    block_size: int = DEFAULT_BLOCK_SIZE
    window: int = 1
    timeout: int | None = None
    variable_window: bool = False
    accepted: Mapping[str, bytes] = field(default_factory=dict)


def negotiate(asked: Mapping[str, bytes], *, size: int, limits: OptionLimits) -> Terms:
    """The terms for a file of `size` bytes as it goes over the wire."""
    block_size = _block_size(asked, limits)
    window = _window(asked, limits, block_size or DEFAULT_BLOCK_SIZE)
    timeout = _number(asked, "timeout", 1, limits.max_timeout)
    variable = limits.microsoft_window and asked.get("msftwindow") == b"%d" % MICROSOFT_ASKS
    granted = {
        "blksize": block_size,
        "windowsize": window,
        "timeout": timeout,
        "tsize": _size(asked, size),
        "msftwindow": MICROSOFT_ANSWER if variable else None,
    }
    return Terms(
        block_size=block_size or DEFAULT_BLOCK_SIZE,
        window=window or 1,
        timeout=timeout,
        variable_window=variable,
        accepted={
            name: b"%d" % value for name in asked if (value := granted.get(name)) is not None
        },
    )


def _block_size(asked: Mapping[str, bytes], limits: OptionLimits) -> int | None:
    wanted = _number(asked, "blksize", 8, None)
    return None if wanted is None else min(wanted, limits.max_block_size, 65464)


def _window(asked: Mapping[str, bytes], limits: OptionLimits, block_size: int) -> int | None:
    wanted = _number(asked, "windowsize", 1, None)
    if wanted is None:
        return None
    return min(wanted, limits.max_window, max(1, limits.max_flight // block_size))


def _size(asked: Mapping[str, bytes], size: int) -> int | None:
    """The file's size, if asked; curl 7.88 takes an empty file's `0` for a fault of ours."""
    return size or None if _number(asked, "tsize", 0, None) is not None else None


def _number(asked: Mapping[str, bytes], name: str, least: int, most: int | None) -> int | None:
    """An option's value if it is plain decimal digits within the bounds."""
    value = asked.get(name, b"")
    if not value.isdigit() or len(value) > 20:
        return None
    number = int(value)
    return number if number >= least and (most is None or number <= most) else None
