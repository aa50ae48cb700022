"""Which part of a file an HTTP client wants (RFC 9110 §14), and whether it is still that file.

One range at a time: a request for several gets the whole file, which RFC 9110 §14.2 allows. That
way many small ranges cannot be used to overload the server.
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
        return f"bytes {self.first}-{self.first + self.length - 1}/{size}"


@dataclass(frozen=True, slots=True)
class Unsatisfiable:
    """Outside the file: 416."""

    def content_range(self, size: int) -> str:
        return f"bytes */{size}"


Extent = Whole | Part | Unsatisfiable


def choose(wanted: str | None, if_range: str | None, *, size: int, etag: str) -> Extent:
    """What to send for a `Range` and an `If-Range` header, None if absent.

    A Range that is not a byte range is ignored (RFC 9110 §14.2). `etag` is strong, in quotes.
    """
    if wanted is None or (if_range is not None and if_range.strip() != etag):
        return Whole()  # a date in If-Range never matches: we have digests, not dates
    match = _ONE_RANGE.fullmatch(wanted.strip(" \t"))
    if match is None or match[1] == match[2] == "":
        return Whole()
    if match[1] == "":  # the last so many bytes
        length = min(int(match[2]), size)
        return Part(size - length, length) if length else Unsatisfiable()
    first, last = int(match[1]), int(match[2]) if match[2] else size - 1
    if match[2] and last < first:
        return Whole()  # malformed, hence ignored
    if first >= size:
        return Unsatisfiable()
    return Part(first, min(last, size - 1) - first + 1)


def matches(if_none_match: str | None, etag: str) -> bool:
    """Whether the client already has this file (RFC 9110 §13.1.2, weak comparison)."""
    if if_none_match is None:
        return False
    if if_none_match.strip() == "*":
        return True
    return any(
        candidate.strip().removeprefix("W/") == etag for candidate in if_none_match.split(",")
    )
