"""One connection, byte by byte: framing, keep-alive, bodies, slow and rude clients."""

import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

import pytest

from netboot.boot.files.names import ContentRef
from netboot.serve.http.boot_app import serve_file
from netboot.serve.http.httpd import HttpServer
from netboot.serve.http.limits import HttpLimits
from netboot.serve.http.message import Request, Response, plain
from tests.support.serving import Files, running_httpd
from tests.support.settling import settled

pytestmark = pytest.mark.loopback

BIG = random.Random(5).randbytes(5_000_000)
LIMITS = HttpLimits(head_time=1.0, idle_time=1.0, body_time=1.0, stall_time=1.0, drain_time=5.0)


@dataclass
class Running:
    """A server, its address, and what it was asked."""

    server: HttpServer
    address: tuple[str, int]
    files: Files
    requests: list[Request] = field(default_factory=list)
    served: list[str] = field(default_factory=list)

    def has_served(self) -> list[str]:
        """What was served; the client may know it a moment before the server says so."""
        end = time.monotonic() + 5
        while not self.served and time.monotonic() < end:
            time.sleep(0.002)
        return self.served


@pytest.fixture
def running() -> Iterator[Running]:
    files = Files({"big": BIG, "small": b"small", "medium": BIG[:60_000]})
    holder: list[Running] = []

    def answer(request: Request) -> Response:
        holder[0].requests.append(request)
        if request.path == "/bug":
            raise KeyError("a bug of ours")
        if request.path == "/echo":
            return Response(200, (), request.body)
        ref = files.resolve_url(request.path)
        if not isinstance(ref, ContentRef):
            return plain(404, ref.reason)
        return serve_file(
            request,
            ref,
            open_content=files.open_content,
            sent=lambda _: holder[0].served.append(ref.name),
        )

    with running_httpd(answer, limits=LIMITS) as (server, address):
        holder.append(Running(server, address, files))
        yield holder[0]
    assert files.opened == 0, "a content was not closed"


class Wire:
    """A client's side: raw bytes there, responses read by their framing."""

    def __init__(self, address: tuple[str, int], receive_buffer: int = 0) -> None:
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(5)
        self.socket.connect(address)
        self.file = self.socket.makefile("rb")

    def send(self, raw: bytes) -> None:
        self.socket.sendall(raw)

    def response(self, *, head_only: bool = False) -> tuple[int, dict[str, str], bytes]:
        """Status, fields and body of the next response."""
        status = int(self.file.readline().split()[1])
        fields = {}
        while (line := self.file.readline()) not in {b"\r\n", b""}:
            name, _, value = line.decode().rstrip("\r\n").partition(": ")
            fields[name.lower()] = value
        length = 0 if head_only else int(fields.get("content-length", 0))
        return status, fields, self.file.read(length)

    def ended(self) -> bool:
        """Whether the server has closed."""
        try:
            return self.file.read(1) == b""
        except ConnectionResetError:
            return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self.socket.close()


def get(path: str, *fields: str, method: str = "GET", version: str = "1.1") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/{version}", "Host: x", *fields, "", ""]).encode()


def test_one_connection_serves_many_requests(running: Running) -> None:
    """Small and large, one after the other, until the client says close."""
    with Wire(running.address) as wire:
        for path, content in (("/small", b"small"), ("/big", BIG), ("/medium", BIG[:60_000])) * 3:
            wire.send(get(path))
            assert wire.response()[2] == content
        wire.send(get("/small", "Connection: close"))
        status, fields, _ = wire.response()

        assert (status, fields["connection"]) == (200, "close")
        assert wire.ended()
    assert len(running.requests) == 10
    assert running.has_served().count("big") == 3


def test_a_request_may_come_byte_by_byte(running: Running) -> None:
    """However it is cut, it is one request."""
    with Wire(running.address) as wire:
        for byte in b"\r\n" + get("/small"):
            wire.send(bytes([byte]))
            time.sleep(0.001)

        assert wire.response()[2] == b"small"


def test_requests_sent_ahead_are_answered_in_their_order(running: Running) -> None:
    """Pipelining is bounded by the socket, and the order holds."""
    with Wire(running.address) as wire:
        wire.send(get("/medium") + get("/small") + get("/nothing") + get("/small"))

        assert wire.response()[2] == BIG[:60_000]
        assert wire.response()[2] == b"small"
        assert wire.response()[0] == 404
        assert wire.response()[2] == b"small"


def test_head_has_no_body(running: Running) -> None:
    """The next response follows the head at once."""
    with Wire(running.address) as wire:
        wire.send(get("/big", method="HEAD") + get("/small"))

        assert wire.response(head_only=True)[1]["content-length"] == str(len(BIG))
        assert wire.response()[2] == b"small"
    assert running.has_served() == ["small"]


def test_a_range_of_a_large_file(running: Running) -> None:
    """Zero-copy from the middle."""
    with Wire(running.address) as wire:
        wire.send(get("/big", "Range: bytes=1000000-3999999"))
        status, fields, body = wire.response()

    assert status == 206
    assert fields["content-range"] == "bytes 1000000-3999999/5000000"
    assert body == BIG[1_000_000:4_000_000]


def test_http_1_0(running: Running) -> None:
    """One response, then the end; kept only if asked."""
    with Wire(running.address) as wire:
        wire.send(get("/small", version="1.0"))
        assert wire.response()[2] == b"small"
        assert wire.ended()
    with Wire(running.address) as wire:
        wire.send(get("/small", "Connection: keep-alive", version="1.0"))
        assert wire.response()[1]["connection"] == "keep-alive"
        wire.send(get("/small", version="1.0"))
        assert wire.response()[2] == b"small"


def test_a_body(running: Running) -> None:
    """Taken whole, in one piece or in several, and the next request follows."""
    body = b"x" * 60_000
    with Wire(running.address) as wire:
        wire.send(get("/echo", f"Content-Length: {len(body)}", method="POST"))
        for at in range(0, len(body), 7000):
            wire.send(body[at : at + 7000])
            time.sleep(0.001)
        assert wire.response()[2] == body
        wire.send(get("/echo", "Content-Length: 3", method="POST") + b"abc" + get("/small"))
        assert wire.response()[2] == b"abc"
        assert wire.response()[2] == b"small"


def test_a_client_that_asks_first_is_told_to_go_on(running: Running) -> None:
    """Expect: 100-continue, as curl sends it."""
    with Wire(running.address) as wire:
        head = get("/echo", "Content-Length: 3", "Expect: 100-continue", method="POST")
        wire.send(head)
        assert wire.file.readline() == b"HTTP/1.1 100 Continue\r\n"
        assert wire.file.readline() == b"\r\n"
        wire.send(b"abc")

        assert wire.response()[2] == b"abc"


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (get("/small", "Content-Length: 5"), 400),
        (get("/echo", "Content-Length: 65537", method="POST"), 413),
        (get("/echo", "Content-Length: 5", "Transfer-Encoding: chunked", method="POST"), 400),
        (get("/echo", "Transfer-Encoding: chunked", method="POST"), 501),
        (get("/small", "X: " + "y" * 9000), 431),
        (b"GET /" + b"a" * 20_000, 431),
        (b"\r\n\r\n" + b"\n" * 20_000, 431),
        (b"A" * 16_000, 431),
    ],
)
def test_a_bad_request_is_answered_once_and_the_connection_ends(
    running: Running, raw: bytes, status: int
) -> None:
    """No byte after it is read as a request: nothing can be smuggled behind it."""
    with Wire(running.address) as wire:
        wire.send(raw + get("/small"))
        answered, fields, _ = wire.response()

        assert status == answered
        assert fields["connection"] == "close"
        assert wire.ended()
    assert running.requests == []


@pytest.mark.parametrize("gone", [40, 70, 100, 200])
def test_who_has_left_takes_no_place_from_who_is_there(running: Running, gone: int) -> None:
    """However many of a source came and went before the server looked: the next is served."""
    held, go_on = threading.Event(), threading.Event()

    def hold(_: float) -> None:
        held.set()
        go_on.wait(10)

    running.server._loop.soon(hold)
    assert held.wait(5)
    for _ in range(gone):
        with socket.create_connection(running.address) as rude:
            rude.sendall(b"noise\r\n\r\n")
    with Wire(running.address) as wire:
        go_on.set()
        wire.send(get("/small"))

        assert wire.response()[2] == b"small"


def test_random_bytes_do_no_harm(running: Running) -> None:
    """Three hundred connections of noise; then a good request is answered."""
    dice = random.Random(11)
    for _ in range(300):
        with socket.create_connection(running.address) as rude, suppress(ConnectionError):
            rude.sendall(dice.randbytes(dice.randrange(1, 200)) + b"\r\n\r\n" * dice.randrange(2))
    end = time.monotonic() + 30
    while running.server.connections and time.monotonic() < end:
        time.sleep(0.01)

    with Wire(running.address) as wire:
        wire.send(get("/small"))
        assert wire.response()[2] == b"small"


def test_a_bug_is_500_and_shows_its_traceback(
    running: Running, capfd: pytest.CaptureFixture[str]
) -> None:
    """The connection lives on, and so do all others."""
    with Wire(running.address) as wire:
        wire.send(get("/bug") + get("/small"))

        assert wire.response()[0] == 500
        assert wire.response()[2] == b"small"
    assert "a bug of ours" in capfd.readouterr().err


def test_a_connection_ends_after_so_many_requests() -> None:
    """No client holds a place for ever."""
    limits = HttpLimits(requests_per_connection=3)
    with (
        running_httpd(lambda _: plain(200, "x"), limits=limits) as (_, address),
        Wire(address) as wire,
    ):
        for number in range(3):
            wire.send(get("/"))
            assert ("connection" in wire.response()[1]) == (number == 2)
        assert wire.ended()


@pytest.mark.parametrize(
    "raw",
    [b"", b"GET /small HTTP/1.1\r\nHost: x\r\n", get("/echo", "Content-Length: 9", method="POST")],
)
def test_a_slow_request_is_ended(running: Running, raw: bytes) -> None:
    """Silence, half a head, a head without its body: closed in time."""
    with Wire(running.address) as wire:
        wire.send(raw)
        start = time.monotonic()

        assert wire.ended()
        assert 0.5 <= time.monotonic() - start <= 4


def test_drops_of_a_head_do_not_keep_a_connection(running: Running) -> None:
    """Slowloris: a byte every tenth of a second does not extend the time for a head."""
    with Wire(running.address) as wire:
        start = time.monotonic()
        with suppress(BrokenPipeError, ConnectionResetError):
            while time.monotonic() - start < 6:
                wire.send(b"X")
                time.sleep(0.1)

        assert time.monotonic() - start <= 4


def test_a_reader_that_stops_is_ended(running: Running) -> None:
    """Who does not read his file loses his connection, and the content is closed."""
    with Wire(running.address, receive_buffer=4096) as wire:
        wire.send(get("/big"))
        end = time.monotonic() + 5
        while running.server.connections and time.monotonic() < end:
            time.sleep(0.02)

        assert running.server.connections == 0
    assert running.served == []


def test_a_client_that_leaves_in_the_middle(running: Running) -> None:
    """Its file is not reported as served, and is closed."""
    for _ in range(20):
        with Wire(running.address) as wire:
            wire.send(get("/big"))
            wire.socket.recv(1000)
    with Wire(running.address) as wire:
        wire.send(get("/small"))
        wire.response()

    assert running.has_served() == ["small"]


def test_slow_and_fast_readers_together(running: Running) -> None:
    """Thirty slow readers; a fast one has its file meanwhile."""
    slow = [Wire(running.address, receive_buffer=4096) for _ in range(30)]
    for wire in slow:
        wire.send(get("/big"))
    start = time.monotonic()
    with Wire(running.address) as wire:
        wire.send(get("/big"))
        assert wire.response()[2] == BIG
    took = time.monotonic() - start
    for wire in slow:
        wire.socket.close()

    assert took < 5.0


def test_what_is_on_its_way_is_finished_on_the_way_out(running: Running) -> None:
    """`drain` ends idle connections at once and the others with their answer."""
    drained = threading.Event()
    with Wire(running.address, receive_buffer=4096) as busy, Wire(running.address) as idle:
        busy.send(get("/big"))
        idle.send(get("/small"))
        idle.response()
        loop = running.server._loop
        loop.soon(lambda _: running.server.drain(drained.set))

        assert idle.ended()
        with pytest.raises(ConnectionRefusedError):
            Wire(running.address)
        assert not drained.is_set()
        assert busy.response()[2] == BIG
        assert busy.ended()
        busy.socket.close()
        busy.file.close()
        assert drained.wait(5)


def test_a_response_that_takes_long_tells_that_it_runs_and_a_quick_one_does_not() -> None:
    told: list[int] = []

    def answer(request: Request) -> Response:
        body = BIG * 4 if request.path == "/long" else b"quick"
        return Response(200, (), body, running=told.append)

    with (
        running_httpd(answer) as (_server, address),
        socket.create_connection(address) as client,
    ):
        client.sendall(b"GET /quick HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(1000).endswith(b"quick")
        assert told == []
        client.sendall(b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n")
        assert settled(lambda: -len(told), -1) == -1
