"""Which part of a file an HTTP client wants (RFC 9110 §14), and whether it still is that file.

One range at a time: a request for several is answered with the whole file, which RFC 9110 §14.2
lets a server do, and which spares us the work that such requests are sent to cause.
"""

import re
from dataclasses import dataclass

_ONE_RANGE = re.compile(r"bytes=[ \t]*(\d{0,20})-(\d{0,20})[ \t]*", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Whole:
    """All of it: 200."""


@dataclass(frozen=True, slots=True)
class Part:
    """`length` bytes from `first` on: 206."""

    first: int
    length: int

    def content_range(self, size: int) -> str:
        """The header's value, for a file of `size` bytes."""
        return f"bytes {self.first}-{self.first + self.length - 1}/{size}"


@dataclass(frozen=True, slots=True)
class Unsatisfiable:
    """Nothing of it lies in the file: 416."""

    def content_range(self, size: int) -> str:
        """The header's value, for a file of `size` bytes."""
        return f"bytes */{size}"


Extent = Whole | Part | Unsatisfiable


def choose(wanted: str | None, if_range: str | None, *, size: int, etag: str) -> Extent:
    """What to send for a `Range` and an `If-Range` header, None where absent.

    What is no byte range at all is ignored, as RFC 9110 §14.2 asks. `etag` is strong, in quotes.
    """
    if wanted is None or (if_range is not None and if_range.strip() != etag):
        return Whole()  # a date in If-Range never matches: we have digests, not dates
    match = _ONE_RANGE.fullmatch(wanted.strip(" \t"))
    if match is None or match[1] == match[2] == "":
        return Whole()
    if match[1] == "":
        return _suffix(int(match[2]), size)
    first, last = int(match[1]), int(match[2]) if match[2] else size - 1
    if match[2] and last < first:
        return Whole()  # malformed, hence ignored
    if first >= size:
        return Unsatisfiable()
    return Part(first, min(last, size - 1) - first + 1)


def _suffix(length: int, size: int) -> Extent:
    """The last `length` bytes."""
    if length == 0 or size == 0:
        return Unsatisfiable()
    length = min(length, size)
    return Part(size - length, length)


def matches(if_none_match: str | None, etag: str) -> bool:
    """Whether the client already has this file (RFC 9110 §13.1.2, weak comparison)."""
    if if_none_match is None:
        return False
    if if_none_match.strip() == "*":
        return True
    return any(
        candidate.strip().removeprefix("W/") == etag for candidate in if_none_match.split(",")
    )
