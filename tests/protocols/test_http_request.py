"""Heads of HTTP requests: those that we read, and those that could be read in two ways."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netboot.protocols.http_request import RequestFault, RequestHead, from_bytes


def head(*lines: str) -> bytes:
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def test_a_request_as_ipxe_sends_it() -> None:
    """Method, path, query, fields; HTTP/1.1 keeps the connection."""
    request = from_bytes(
        head(
            "GET /boot.ipxe?mac=52:54:00:12:34:56&uuid=&arch=x86_64 HTTP/1.1",
            "Connection: keep-alive",
            "User-Agent: iPXE/1.0.0+",
            "Host: 10.0.0.1:8081",
        )
    )

    assert request.method == "GET"
    assert request.path == "/boot.ipxe"
    assert request.query == {"mac": "52:54:00:12:34:56", "uuid": "", "arch": "x86_64"}
    assert request.fields["host"] == "10.0.0.1:8081"
    assert request.keep_alive
    assert request.length == 0


REFUSED = {
    "an empty head": (b"\r\n\r\n", 400),
    "HTTP/0.9": (head("GET /"), 400),
    "HTTP/2 in plain": (head("PRI * HTTP/2.0"), 400),
    "HTTP/1.2": (head("GET / HTTP/1.2", "Host: a"), 400),
    "a version with spaces": (head("GET / HTTP/ 1.1", "Host: a"), 400),
    "two spaces": (head("GET  / HTTP/1.1", "Host: a"), 400),
    "a space before": (head(" GET / HTTP/1.1", "Host: a"), 400),
    "a space behind": (head("GET / HTTP/1.1 ", "Host: a"), 400),
    "a tab": (head("GET\t/ HTTP/1.1", "Host: a"), 400),
    "a method in lower case": (head("get / HTTP/1.1", "Host: a"), 400),
    "a method of signs": (head("G@T / HTTP/1.1", "Host: a"), 400),
    "a target of another form": (head("GET boot.wim HTTP/1.1", "Host: a"), 400),
    "a target with ASCII above 126": (head("GET /\x7f HTTP/1.1", "Host: a"), 400),
    "a target with bytes": (head("GET /\xe4 HTTP/1.1", "Host: a"), 400),
    "a target that is too long": (head("GET /" + "a" * 5000 + " HTTP/1.1", "Host: a"), 400),
    "a zero byte in the path": (head("GET /a%00b HTTP/1.1", "Host: a"), 400),
    "a new line in the path": (head("GET /a%0d%0ab HTTP/1.1", "Host: a"), 400),
    "bytes that are no text": (head("GET /%ff HTTP/1.1", "Host: a"), 400),
    "no host": (head("GET / HTTP/1.1"), 400),
    "two hosts": (head("GET / HTTP/1.1", "Host: a", "Host: a"), 400),
    "a bare line feed": (b"GET / HTTP/1.1\nHost: a\r\n\r\n", 400),
    "a bare carriage return": (b"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", 400),
    "line feeds only": (b"GET / HTTP/1.1\nHost: a\n\n\r\n\r\n", 400),
    "a folded line": (head("GET / HTTP/1.1", "Host: a", " b"), 400),
    "a field without colon": (head("GET / HTTP/1.1", "Host a"), 400),
    "a space before the colon": (head("GET / HTTP/1.1", "Host : a"), 400),
    "a field without name": (head("GET / HTTP/1.1", "Host: a", ": b"), 400),
    "a name with a space": (head("GET / HTTP/1.1", "Ho st: a"), 400),
    "a zero byte in a value": (head("GET / HTTP/1.1", "Host: a\x00"), 400),
    "a name that is too long": (head("GET / HTTP/1.1", "Host: a", "x" * 65 + ": b"), 400),
    "65 fields": (head("GET / HTTP/1.1", "Host: a", *("X: y",) * 64), 431),
    "two lengths": (
        head("POST / HTTP/1.1", "Host: a", "Content-Length: 1", "Content-Length: 1"),
        400,
    ),
    "a list of lengths": (head("POST / HTTP/1.1", "Host: a", "Content-Length: 1, 1"), 400),
    "a length with sign": (head("POST / HTTP/1.1", "Host: a", "Content-Length: +1"), 400),
    "a length below zero": (head("POST / HTTP/1.1", "Host: a", "Content-Length: -1"), 400),
    "a length in hexadecimal": (head("POST / HTTP/1.1", "Host: a", "Content-Length: 0x1"), 400),
    "a length of other digits": (head("POST / HTTP/1.1", "Host: a", "Content-Length: \xb2"), 400),
    "an empty length": (head("POST / HTTP/1.1", "Host: a", "Content-Length:"), 400),
    "a length beyond measure": (
        head("POST / HTTP/1.1", "Host: a", "Content-Length: " + "9" * 19),
        400,
    ),
    "a length and an encoding": (
        head("POST / HTTP/1.1", "Host: a", "Content-Length: 1", "Transfer-Encoding: chunked"),
        400,
    ),
    "an encoding": (head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked"), 501),
    "an encoding in disguise": (
        head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: xchunked"),
        501,
    ),
    "two encodings": (
        head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: a", "Transfer-Encoding: b"),
        400,
    ),
    "an encoding with a space": (
        head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding : chunked"),
        400,
    ),
    "an encoding behind a vertical tab": (
        head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: \x0bchunked"),
        400,
    ),
    "too many query fields": (
        head("GET /?" + "&".join(f"a{n}=1" for n in range(40)) + " HTTP/1.1", "Host: a"),
        400,
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    """What could be read in two ways is not read at all."""
    raw, status = REFUSED[name]

    with pytest.raises(RequestFault) as caught:
        from_bytes(raw)

    assert status == caught.value.status


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/", "/", {}),
        ("/v/lab%20pe/7/boot.wim", "/v/lab pe/7/boot.wim", {}),
        ("/a/../../etc/passwd", "/a/../../etc/passwd", {}),
        ("/%2e%2e/x", "/../x", {}),
        ("/a?b=c&d", "/a", {"b": "c", "d": ""}),
        ("/a?b=%41+c", "/a", {"b": "A c"}),
        ("/a?", "/a", {}),
        ("http://host:8081/a?b=c", "/a", {"b": "c"}),
        ("HTTP://host", "/", {}),
        ("//host/a", "//host/a", {}),
        ("/\u00fc".encode().decode("latin-1").replace("\xc3\xbc", "%C3%BC"), "/\u00fc", {}),
    ],
)
def test_targets(target: str, path: str, query: dict[str, str]) -> None:
    """A path is decoded once and otherwise left alone: it is looked up, not followed."""
    request = from_bytes(head(f"GET {target} HTTP/1.1", "Host: a"))

    assert path == request.path
    assert query == request.query


@pytest.mark.parametrize(
    ("version", "connection", "kept"),
    [
        ("1.1", None, True),
        ("1.1", "close", False),
        ("1.1", "Close", False),
        ("1.1", "keep-alive, close", False),
        ("1.1", "TE", True),
        ("1.0", None, False),
        ("1.0", "keep-alive", True),
        ("1.0", "close", False),
    ],
)
def test_who_keeps_the_connection(version: str, connection: str | None, *, kept: bool) -> None:
    """HTTP/1.1 keeps it unless told, HTTP/1.0 only if told (RFC 9112 §9.3)."""
    fields = ["Host: a"] + ([f"Connection: {connection}"] if connection else [])

    assert kept is from_bytes(head(f"GET / HTTP/{version}", *fields)).keep_alive


def test_fields_of_one_name_are_a_list() -> None:
    """Joined by commas, as RFC 9110 §5.3 has it; names in lower case, values trimmed."""
    request = from_bytes(head("GET / HTTP/1.1", "HOST: a", "X-Y:  1 ", "x-y:\t2"))

    assert request.fields["x-y"] == "1, 2"


@given(st.binary(max_size=300), st.sampled_from([b"", b"GET / HTTP/1.1\r\n", b"GET /"]))
def test_any_bytes_are_a_request_or_a_fault(raw: bytes, before: bytes) -> None:
    """Nothing but RequestFault comes out, with a status that says whose fault it is."""
    try:
        with suppress(RequestFault):
            assert isinstance(from_bytes(before + raw + b"\r\n\r\n"), RequestHead)
        from_bytes(raw)
    except RequestFault as fault:
        assert 400 <= fault.status <= 501  # noqa: PT017 - either way is right
