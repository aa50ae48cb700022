"""What an HTTP answer is made of: the request as it came, the response as it will go.

An `Answer` is a plain function; it may be called without a server, as the tests do.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus

from netboot.serve.content import Content

Fields = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Request:
    """A request with its body. Field names are in lower case; `path` is a name to look up."""

    method: str
    path: str
    ip: str
    query: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class FilePart:
    """`length` bytes of an open file from `first` on. Whoever sends it closes the content."""

    content: Content
    first: int
    length: int


@dataclass(frozen=True, slots=True)
class Response:
    """Status, header fields and body; the server adds Content-Length, Date and Connection.

    `sent` is called with the seconds that it took, once the last byte has gone out; it is not
    called when the client went away before.
    """

    status: int
    fields: Fields = ()
    body: bytes | FilePart = b""
    sent: Callable[[float], None] | None = None

    @property
    def length(self) -> int:
        """Bytes of the body."""
        return self.body.length if isinstance(self.body, FilePart) else len(self.body)

    def close(self) -> None:
        """Give back what the body holds open."""
        if isinstance(self.body, FilePart):
            self.body.content.close()


Answer = Callable[[Request], Response]


def plain(status: int, text: str, *fields: tuple[str, str]) -> Response:
    """A short answer in words."""
    kind = (("Content-Type", "text/plain; charset=utf-8"), ("X-Content-Type-Options", "nosniff"))
    return Response(status, (*kind, ("Cache-Control", "no-store"), *fields), text.encode() + b"\n")


def head_bytes(response: Response, *, now: float, keep_alive: bool, minor: int) -> bytes:
    """The response's head as it goes over the wire. `now` in seconds since the epoch."""
    lines = [_STATUS_LINES.get(response.status) or f"HTTP/1.1 {response.status} "]
    lines += [f"{name}: {value}" for name, value in response.fields]
    if response.status not in {204, 304}:
        lines.append(f"Content-Length: {response.length}")
    lines.append(_date(int(now)))
    if not keep_alive:
        lines.append("Connection: close")
    elif minor == 0:
        lines.append("Connection: keep-alive")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}" for status in HTTPStatus}

_last_date = (0, "")


def _date(second: int) -> str:
    """The Date field of a whole second, which many responses share."""
    global _last_date  # noqa: PLW0603 - one line of memory saves a tenth of a small answer
    if _last_date[0] != second:
        _last_date = (second, f"Date: {formatdate(second, usegmt=True)}")
    return _last_date[1]
