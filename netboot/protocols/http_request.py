"""The head of an HTTP/1.1 request: bytes to a value, strictly.

RFC 9110, RFC 9112. Where the grammar leaves room for two readings (folded lines, bare line feeds,
two lengths, a length and an encoding) the request is refused: one reader must never see another
request than the next one does.

Machines of one model send the same lines, so the parsed form of recent lines is cached.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

from netboot.errors import ProtocolError

MAX_HEAD = 8 * 1024
MAX_FIELDS = 64
_LONGEST_CACHED = 256  # bytes of a line; longer ones are parsed each time
_NO_QUERY: Mapping[str, str] = MappingProxyType({})

_LINE = re.compile(rb"([A-Z]{1,20}) ([\x21-\x7e]{1,4096}) HTTP/1\.([01])")
_FIELD = re.compile(
    rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}):[ \t]*((?:[\x21-\x7e\x80-\xff][\t\x20-\x7e\x80-\xff]*)?)"
)
_ABSOLUTE = re.compile(r"https?://[^/?#]*", re.IGNORECASE)


class RequestFault(ProtocolError):
    """A request that we refuse to parse; `status` goes into the answer."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class RequestHead(NamedTuple):
    """Everything before the body. Field names are in lower case.

    `path` is percent-decoded and never empty; it is a name to look up, not a path to follow.
    """

    method: str
    path: str
    query: Mapping[str, str]
    fields: Mapping[str, str]
    length: int
    keep_alive: bool
    minor: int = 1


def from_bytes(head: bytes) -> RequestHead:
    """Parse a head that ends with its empty line. Raises RequestFault."""
    if not head.endswith(b"\r\n\r\n"):
        raise RequestFault(400, "the head does not end with an empty line")
    lines = head[:-4].split(b"\r\n")
    first = lines[0]
    read = _request_line if len(first) <= _LONGEST_CACHED else _request_line.__wrapped__
    method, target, minor = read(first)
    fields = _fields(lines)
    if minor and "host" not in fields:  # RFC 9112 §3.2: HTTP/1.1 requires it, HTTP/1.0 does not
        raise RequestFault(400, "no Host")
    path, query = target
    keep_alive = _keeps_alive(fields.get("connection", ""), minor)
    return RequestHead(method, path, query, fields, _length(fields), keep_alive, minor)


@lru_cache(256)
def _request_line(line: bytes) -> tuple[str, tuple[str, Mapping[str, str]], int]:
    """Method, path and query, and HTTP/1's minor version. Raises RequestFault."""
    match = _LINE.fullmatch(line)
    if match is None:
        raise RequestFault(400, "malformed request line")
    return match[1].decode("ascii"), _target(match[2].decode("ascii")), int(match[3])


def _fields(lines: list[bytes]) -> dict[str, str]:
    if len(lines) > 1 + MAX_FIELDS:
        raise RequestFault(431, "too many header fields")
    fields: dict[str, str] = {}
    for line in lines[1:]:
        name, value = _field(line) if len(line) <= _LONGEST_CACHED else _field.__wrapped__(line)
        if name not in fields:
            fields[name] = value
        elif name in {"host", "content-length", "transfer-encoding"}:
            # RFC 9112 §3.2 and §6.3: two readers may believe two different ones.
            raise RequestFault(400, f"{name} twice")
        else:
            fields[name] += ", " + value
    return fields


@lru_cache(1024)
def _field(line: bytes) -> tuple[str, str]:
    """Name, in lower case, and value. Raises RequestFault."""
    match = _FIELD.fullmatch(line)
    if match is None:
        raise RequestFault(400, "malformed header field")
    return match[1].decode("ascii").lower(), match[2].rstrip(b" \t").decode("latin-1")


def _target(target: str) -> tuple[str, Mapping[str, str]]:
    """Path and query of the origin form, or of the absolute form (RFC 9112 §3.2.2)."""
    if not target.startswith("/"):
        stripped = _ABSOLUTE.sub("", target, count=1)
        if stripped == target:
            raise RequestFault(400, "malformed request target")
        target = stripped if stripped.startswith("/") else "/" + stripped
    raw, _, query = target.partition("?")
    if not query and "%" not in raw:
        return raw, _NO_QUERY
    try:
        path = unquote(raw, errors="strict")
        pairs = dict(parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=32))
    except ValueError as error:
        raise RequestFault(400, "the request target is not valid text") from error
    if not path.isprintable():
        raise RequestFault(400, "control characters in the target")
    return path, MappingProxyType(pairs)


def _length(fields: Mapping[str, str]) -> int:
    """Bytes of the body; transfer encodings are not supported here."""
    if "transfer-encoding" in fields:
        if "content-length" in fields:  # RFC 9112 §6.1: the mark of request smuggling
            raise RequestFault(400, "a length and a transfer encoding")
        raise RequestFault(501, "transfer encodings are not supported")
    value = fields.get("content-length")
    if value is None:
        return 0
    if not (value.isascii() and value.isdigit() and len(value) <= 18):
        raise RequestFault(400, "malformed Content-Length")
    return int(value)


def _keeps_alive(connection: str, minor: int) -> bool:
    if not connection:
        return minor == 1
    words = {word.strip().lower() for word in connection.split(",")}
    return "close" not in words and (minor == 1 or "keep-alive" in words)
