"""The boot port's listener: who gets in, and who makes room."""

import contextlib
import errno
import http.client
import os
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from netboot.boot.files.names import ContentRef
from netboot.errors import InvalidInput, PortTaken
from netboot.serve.http.boot_app import serve_file
from netboot.serve.http.httpd import HttpServer, open_tcp
from netboot.serve.http.limits import HttpLimits
from netboot.serve.http.message import Request, Response, plain
from netboot.serve.tftp.tid_pool import raise_descriptor_limit
from netboot.serve.udp import Loop
from tests.support.serving import running_httpd

pytestmark = pytest.mark.loopback


def hello(request: Request) -> Response:
    return plain(200, request.ip)


def connect(
    address: tuple[str, int], source: str = "127.0.0.1", *, receive_buffer: int = 0
) -> socket.socket:
    tcp = socket.socket()
    if receive_buffer:
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    tcp.settimeout(3)
    tcp.bind((source, 0))
    tcp.connect(address)
    return tcp


def asks(tcp: socket.socket) -> bytes:
    """What comes back for a request; nothing if the connection was closed on us."""
    try:
        tcp.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        return tcp.recv(4096)
    except (ConnectionResetError, BrokenPipeError):
        return b""


def test_the_clients_address_reaches_the_answer() -> None:
    """A standard client is served."""
    with running_httpd(hello) as (server, address):
        client = http.client.HTTPConnection(*address)
        client.request("GET", "/x")
        response = client.getresponse()

        assert response.read() == b"127.0.0.1\n"
        assert server.connections == 1
        client.close()


def test_one_address_has_so_many_connections() -> None:
    """The next is closed at once; another address is served."""
    with running_httpd(hello, limits=HttpLimits(connections_per_source=4)) as (_, address):
        held = [connect(address) for _ in range(4)]
        assert all(asks(tcp).startswith(b"HTTP/1.1 200") for tcp in held)
        fifth, other = connect(address), connect(address, "127.0.0.2")

        assert asks(fifth) == b""
        assert asks(other).startswith(b"HTTP/1.1 200")
        held.pop().close()
        time.sleep(0.05)
        again = connect(address)
        assert asks(again).startswith(b"HTTP/1.1 200")
        for tcp in [*held, fifth, other, again]:
            tcp.close()


def test_when_all_places_are_taken_an_idle_one_goes() -> None:
    """Who waits without a request makes room; who is in the middle of one does not."""
    with running_httpd(hello, limits=HttpLimits(connections=3)) as (server, address):
        idle = connect(address)
        assert asks(idle)
        busy = [connect(address) for _ in range(2)]
        for tcp in busy:
            tcp.sendall(b"GET /")
        time.sleep(0.1)
        new = connect(address)
        assert asks(new).startswith(b"HTTP/1.1 200")
        assert asks(idle) == b""
        assert server.connections == 3
        for tcp in [idle, *busy, new]:
            tcp.close()


def test_an_address_that_was_offered_a_boot_gets_a_place_and_keeps_it() -> None:
    """However busy the others are; among themselves the rule of all holds."""
    offered = {"127.0.0.8", "127.0.0.9"}
    with running_httpd(
        hello, limits=HttpLimits(connections=3), is_preferred=offered.__contains__
    ) as (server, address):
        strangers = [connect(address, f"127.0.0.{number}") for number in (2, 3, 4)]
        assert all(asks(tcp) for tcp in strangers)
        machines = [connect(address, ip) for ip in ("127.0.0.8", "127.0.0.9", "127.0.0.8")]
        assert all(asks(tcp).startswith(b"HTTP/1.1 200") for tcp in machines)
        assert [asks(tcp) for tcp in strangers] == [b"", b"", b""]
        late = connect(address, "127.0.0.5")

        assert asks(late) == b""
        assert all(asks(tcp).startswith(b"HTTP/1.1 200") for tcp in machines)
        again = connect(address, "127.0.0.9")
        assert asks(again).startswith(b"HTTP/1.1 200")
        assert server.connections == 3
        for tcp in [*strangers, *machines, late, again]:
            tcp.close()


SLOW = {
    "slow heads": b"GET / HTTP/1.1\r\nX: ",
    "slow bodies": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx",
    "slow readers": b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n",
}
LARGE = ContentRef("large", "sha256:0", 8 << 20, "", 0)


class Shared:
    """One open file for all who read it, more than any buffer holds."""

    size = LARGE.size

    def __init__(self) -> None:
        self.fd = os.memfd_create("large")
        os.truncate(self.fd, self.size)
        self.view = memoryview(b"")

    def close(self) -> None:
        """It stays open until the test ends."""


@pytest.fixture
def hello_or_much() -> Iterator[Callable[[Request], Response]]:
    """Answers a word, or the large file to who asks for it."""
    file = Shared()

    def answer(request: Request) -> Response:
        if request.path != "/large":
            return hello(request)
        return serve_file(request, LARGE, open_content=lambda _: file, sent=lambda _: None)

    yield answer
    os.close(file.fd)


@pytest.mark.parametrize("manner", SLOW)
def test_five_hundred_slow_connections_do_not_delay_a_good_one(
    manner: str, hello_or_much: Callable[[Request], Response]
) -> None:
    """As slowhttptest has it, from many addresses; a good request takes less than 200 ms."""
    with running_httpd(hello_or_much) as (_, address):
        slow = []
        for number in range(500):
            tcp = connect(address, f"127.0.2.{number % 250 + 1}", receive_buffer=4096)
            tcp.settimeout(60)
            tcp.sendall(SLOW[manner])
            slow.append(tcp)
        if manner == "slow readers":  # each has its beginning, and no room for more
            assert all(tcp.recv(1) for tcp in slow)
        took = []
        for _ in range(5):
            start = time.monotonic()
            with connect(address) as good:
                assert asks(good).startswith(b"HTTP/1.1 200")
            took.append(time.monotonic() - start)
        for tcp in slow:
            tcp.close()

    assert statistics.median(took) < 0.2, took


def crowd(address: tuple[str, int], manner: str, first: int, many: int) -> list[socket.socket]:
    """Slow connections, from 1,200 addresses in turn."""
    slow = []
    for number in range(first, first + many):
        source = f"127.1.{number % 1200 // 200}.{number % 200 + 1}"
        tcp = connect(address, source, receive_buffer=4096)
        with contextlib.suppress(OSError):
            tcp.sendall(SLOW[manner])
        slow.append(tcp)
    return slow


@pytest.mark.parametrize("manner", [*SLOW, "all of them"])
def test_slow_connections_from_many_addresses_keep_nobody_out(
    manner: str, hello_or_much: Callable[[Request], Response]
) -> None:
    """1,500 from 1,200 addresses, and ever more: a good client has its answer within a second."""
    raise_descriptor_limit()
    manners = list(SLOW) if manner == "all of them" else [manner]
    with running_httpd(hello_or_much) as (server, address):
        slow = []
        for number in range(15):
            slow += crowd(address, manners[number % len(manners)], number * 100, 100)
        with connect(address, "127.9.0.1") as good:  # behind those who have just come
            assert asks(good).startswith(b"HTTP/1.1 200")
        took = []
        for number in range(15, 20):
            start = time.monotonic()
            with connect(address, "127.9.0.1") as good:
                slow += crowd(address, manners[number % len(manners)], number * 100, 40)
                assert asks(good).startswith(b"HTTP/1.1 200")
            took.append(time.monotonic() - start)
        assert server.connections <= HttpLimits().connections
        for tcp in slow:
            tcp.close()

    assert max(took) < 1.0, took


def test_a_slow_machine_keeps_its_place_among_many_that_stand_still(
    hello_or_much: Callable[[Request], Response],
) -> None:
    """A reader of 2 MB a second gets its 8 MB while slow readers come and go."""
    raise_descriptor_limit()
    with running_httpd(hello_or_much, limits=HttpLimits(connections=200)) as (_, address):
        honest = connect(address, "127.9.0.1", receive_buffer=65536)
        honest.sendall(SLOW["slow readers"])
        got, slow, number = 0, [], 0
        began = time.monotonic()
        while got < LARGE.size:
            got += len(honest.recv(65536))
            while got / 2e6 > time.monotonic() - began:  # others take all places again and again
                slow += crowd(address, "slow readers", number, 5)
                number += 5
                for tcp in slow[:-400]:
                    tcp.close()
                del slow[:-400]
        assert number > 400
        for tcp in [honest, *slow]:
            tcp.close()


def test_without_a_rush_a_slow_machine_is_left_alone(
    hello_or_much: Callable[[Request], Response],
) -> None:
    """Where there is room nobody makes room, and a slow one only has its deadline."""
    with running_httpd(hello_or_much, limits=HttpLimits(connections=20)) as (server, address):
        slow = crowd(address, "slow readers", 0, 19)
        good = connect(address, "127.9.0.1")
        assert asks(good).startswith(b"HTTP/1.1 200")
        assert all(tcp.recv(1) for tcp in slow)
        assert server.connections == 20
        for tcp in [good, *slow]:
            tcp.close()


def test_many_short_connections() -> None:
    """Two thousand, from many threads; none is lost and none is left."""

    def one(_: int) -> bool:
        client = http.client.HTTPConnection(*address, timeout=10)
        client.request("GET", "/", headers={"Connection": "close"})
        body = client.getresponse().read()
        client.close()
        return body == b"127.0.0.1\n"

    with running_httpd(hello) as (server, address):
        with ThreadPoolExecutor(16) as pool:
            assert all(pool.map(one, range(2000)))
        end = time.monotonic() + 5
        while server.connections and time.monotonic() < end:
            time.sleep(0.01)
        assert server.connections == 0
        assert server._per_source == {}


def test_addresses_come_and_go_and_a_request_says_at_which_one_it_came_in() -> None:
    """A connection that is open goes on when its address is no longer served."""

    def where(request: Request) -> Response:
        return plain(200, f"at {request.to}")

    with running_httpd(where) as (server, (address, port)):
        server._port = port  # the system chose it for the first address
        server.listen("127.0.0.2")
        assert server.addresses == (address, "127.0.0.2")
        kept = [connect((ours, port)) for ours in (address, "127.0.0.2")]
        assert [asks(one).split(b"at ")[1] for one in kept] == [b"127.0.0.1\n", b"127.0.0.2\n"]
        server.stop_listening(address)
        with pytest.raises(ConnectionRefusedError):
            connect((address, port))
        assert b"at 127.0.0.1" in asks(kept[0])
        for one in kept:
            one.close()


def test_without_descriptors_the_listener_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    """EMFILE is waited out, not spun on."""
    loop = Loop()
    server = HttpServer(loop=loop, address="127.0.0.1", port=0, answer=hello)
    client = connect(("127.0.0.1", server.port))
    real = server._listeners["127.0.0.1"]
    tries = []

    class Exhausted:
        """A listener of a process that has no descriptor left."""

        def accept(self) -> tuple[socket.socket, tuple[str, int]]:
            tries.append(time.monotonic())
            if len(tries) == 1:
                raise OSError(errno.EMFILE, "too many open files")
            return real.accept()

        def __getattr__(self, name: str) -> object:
            return getattr(real, name)

    monkeypatch.setitem(server._listeners, "127.0.0.1", Exhausted())
    loop.at(time.monotonic() + 0.8, lambda _: loop.stop())
    loop.run()

    assert tries[1] - tries[0] >= 0.4
    assert server.connections == 1
    client.close()
    server.close()
    loop.close()


def test_a_taken_port() -> None:
    """The error names who has it."""
    with running_httpd(hello) as (_, (address, port)):
        taken = rf"TCP port {port} of 127.0.0.1 is taken by .*process \d+"
        with pytest.raises(PortTaken, match=taken):
            open_tcp(address, port)


def test_an_address_that_is_not_ours() -> None:
    """The error says so."""
    with pytest.raises(InvalidInput, match="no address"):
        open_tcp("192.0.2.1", 0)
