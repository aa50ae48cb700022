"""HTTP requests and responses as values; an `Answer` is a plain function from one to the other."""

from collections.abc import Callable, Mapping
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from types import MappingProxyType
from typing import NamedTuple

from netboot.serve.content import Content

Fields = tuple[tuple[str, str], ...]

_PARTIAL = HTTPStatus.PARTIAL_CONTENT.value
_NOTHING: Mapping[str, str] = MappingProxyType({})


class Request(NamedTuple):
    """A request with its body. Field names are in lower case; `path` is a name to look up.

    `to` is our address that it came in at.
    """

    method: str
    path: str
    ip: str
    query: Mapping[str, str] = _NOTHING
    fields: Mapping[str, str] = _NOTHING
    body: bytes = b""
    to: str = ""


class FilePart(NamedTuple):
    """`length` bytes of an open file from `first` on. The sender closes the content."""

    content: Content
    first: int
    length: int


class Response(NamedTuple):
    """Status, header fields and body; the server adds Content-Length, Date and Connection.

    `sent` is called with the seconds that it took after the last byte. If the connection ends
    before, `broken` is called with the bytes of the body that were sent and the reason. A response
    that takes longer calls `running` with the bytes sent so far: after a moment, then each minute.
    """

    status: int
    fields: Fields = ()
    body: bytes | FilePart = b""
    sent: Callable[[float], None] | None = None
    broken: Callable[[int, str], None] | None = None
    running: Callable[[int], None] | None = None

    @property
    def length(self) -> int:
        """Bytes of the body."""
        return self.body.length if isinstance(self.body, FilePart) else len(self.body)

    def close(self) -> None:
        if isinstance(self.body, FilePart):
            self.body.content.close()


Answer = Callable[[Request], Response]


def plain(status: int, text: str, *fields: tuple[str, str]) -> Response:
    """A short text."""
    kind = (("Content-Type", "text/plain; charset=utf-8"), ("X-Content-Type-Options", "nosniff"))
    return Response(status, (*kind, ("Cache-Control", "no-store"), *fields), text.encode() + b"\n")


def head_bytes(response: Response, *, now: float, keep_alive: bool, minor: int) -> bytes:
    """The response's head as it goes over the wire. `now` in seconds since the epoch."""
    # RFC 9110 §8.6: no Content-Length in a 204, and 304 would have to name that of the file.
    length = None if response.status in {204, 304} else response.length
    start = _start.__wrapped__ if response.status == _PARTIAL else _start
    first = start(response.status, response.fields, length)
    return first + _date(int(now)) + _ENDS[keep_alive, minor]


@lru_cache(512)
def _start(status: int, fields: Fields, length: int | None) -> bytes:
    """The part that is the same for each request of a file; ranges are not worth caching."""
    lines = [_STATUS_LINES.get(status) or f"HTTP/1.1 {status} "]
    lines += [f"{name}: {value}" for name, value in fields]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return ("\r\n".join(lines) + "\r\n").encode("latin-1")


_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}" for status in HTTPStatus}
_ENDS = {
    (True, 1): b"\r\n",
    (True, 0): b"Connection: keep-alive\r\n\r\n",
    (False, 1): b"Connection: close\r\n\r\n",
    (False, 0): b"Connection: close\r\n\r\n",
}


@lru_cache(2)
def _date(second: int) -> bytes:
    """The Date field of a whole second, which many responses share."""
    return f"Date: {formatdate(second, usegmt=True)}\r\n".encode("ascii")
