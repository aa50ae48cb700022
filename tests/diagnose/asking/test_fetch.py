"""Fetches as machines do, by clients that are not ours."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from netboot.diagnose.asking.fetch import Fetched, by_http, by_tftp

pytestmark = pytest.mark.loopback

DATA = b"program" * 5000


class _Handler(BaseHTTPRequestHandler):
    """A boot server's HTTP, well and unwell."""

    def do_GET(self) -> None:
        """Answer by path."""
        match self.path:
            case "/whole":
                self._send(200, DATA)
            case "/head":
                self._send(206, DATA[:100], {"Content-Range": f"bytes 0-99/{len(DATA)}"})
            case "/moved":
                self._send(301, b"", {"Location": "/whole"})
            case "/round" | "/about":
                onward = {"/round": "/about", "/about": "/round"}[self.path]
                self._send(302, b"", {"Location": onward})
            case path if path.startswith("/deeper"):
                self._send(302, b"", {"Location": path + "r"})
            case "/denied":
                self._send(403, b"no")
            case _:
                self._send(404, b"gone")

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def url() -> Iterator[str]:
    """An HTTP server on the loopback."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_whole_file_comes_with_its_digest(url: str) -> None:
    """Compared with what is published."""
    fetched = by_http(f"{url}/whole")

    assert (fetched.data, fetched.trouble, fetched.size) == (DATA, "", len(DATA))
    assert fetched.digest == "sha256:" + hashlib.sha256(DATA).hexdigest()


def test_the_head_of_a_file_tells_the_size_of_the_whole(url: str) -> None:
    """A range request."""
    fetched = by_http(f"{url}/head", head=100)

    assert (len(fetched.data), fetched.size) == (100, len(DATA))


def test_a_file_that_is_read_to_its_end_is_not_kept(url: str) -> None:
    """Images are larger than memory."""
    fetched = by_http(f"{url}/whole", head=100, whole=True)

    assert (fetched.data, fetched.size) == (b"", len(DATA))
    assert fetched.whole_digest == "sha256:" + hashlib.sha256(DATA).hexdigest()
    assert fetched.rate > 0


def test_a_server_without_ranges_is_cut_short(url: str) -> None:
    """No more than the head is kept."""
    assert by_http(f"{url}/whole", head=100).data == DATA[:100]


@pytest.mark.parametrize(
    ("path", "trouble", "words"),
    [
        ("/none", "missing", "HTTP 404 Not Found"),
        ("/denied", "refused", "HTTP 403 Forbidden"),
        ("/moved", "refused", "HTTP 301 Moved Permanently: firmware does not follow redirects"),
    ],
)
def test_refusals_are_told_in_the_servers_words(
    url: str, path: str, trouble: str, words: str
) -> None:
    """Firmware would only say that it failed."""
    fetched = by_http(url + path)

    assert (fetched.trouble, fetched.words) == (trouble, words)


def test_ipxe_follows_a_redirect_to_the_file(url: str) -> None:
    fetched = by_http(f"{url}/moved", redirects=True)

    assert (fetched.data, fetched.name) == (DATA, f"{url}/whole")


@pytest.mark.parametrize("path", ["/round", "/deeper"])
def test_redirects_that_never_end_are_a_loop(url: str, path: str) -> None:
    fetched = by_http(url + path, redirects=True)

    assert (fetched.name, fetched.trouble) == (url + path, "loops")
    assert fetched.words.count("→") == 2


def test_nobody_there_is_unreachable() -> None:
    """A closed port, and what is no URL."""
    assert by_http("http://127.0.0.1:1/x").trouble == "unreachable"
    assert by_http("http://[/x").trouble == "unreachable"


def test_silence_on_tftp_is_silence() -> None:
    fetched = by_tftp("127.0.0.1", "x", port=9, seconds=0.1)

    assert fetched.trouble in {"silent", "unreachable"}
    assert fetched == Fetched("x", trouble=fetched.trouble, words=fetched.words)
