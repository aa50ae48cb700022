"""Heads of responses."""

import pytest

from netboot.serve.http.message import Response, head_bytes, plain


def lines(response: Response, *, keep_alive: bool = True, minor: int = 1) -> list[str]:
    raw = head_bytes(response, now=1795305600.9, keep_alive=keep_alive, minor=minor)
    assert raw.endswith(b"\r\n\r\n")
    return raw[:-4].decode().split("\r\n")


def test_a_head() -> None:
    """Status line, the answer's fields, length and date."""
    assert lines(Response(200, (("ETag", '"x"'),), b"12345")) == [
        "HTTP/1.1 200 OK",
        'ETag: "x"',
        "Content-Length: 5",
        "Date: Sun, 22 Nov 2026 00:00:00 GMT",
    ]


@pytest.mark.parametrize(
    ("minor", "keep_alive", "says"),
    [(1, True, None), (1, False, "close"), (0, True, "keep-alive"), (0, False, "close")],
)
def test_what_becomes_of_the_connection(minor: int, *, keep_alive: bool, says: str | None) -> None:
    """Said where it is not what the version means anyway."""
    head = lines(Response(200), keep_alive=keep_alive, minor=minor)

    assert says == next((x.split(": ")[1] for x in head if x.startswith("Connection")), None)


@pytest.mark.parametrize("status", [204, 304])
def test_without_a_body_there_is_no_length(status: int) -> None:
    """RFC 9110 §8.6."""
    assert not any(line.startswith("Content-Length") for line in lines(Response(status)))


def test_a_status_without_a_name() -> None:
    """Any number may be sent."""
    assert lines(Response(299))[0] == "HTTP/1.1 299 "


def test_plain_words() -> None:
    """Never sniffed, never stored."""
    response = plain(404, "no such place", ("X-More", "1"))

    assert response.body == b"no such place\n"
    assert {"X-Content-Type-Options", "Cache-Control", "X-More"} <= set(dict(response.fields))
