"""Messages to addresses that somebody named: what may be reached, and for how long."""

import socket
import ssl
import threading
import time

import pytest

from netboot.errors import InvalidInput
from netboot.outbound import Outbound, check_host, refusal
from tests.support.netlab import Lan, needs_netns

pytestmark = pytest.mark.loopback

HERE = ("127.0.0.0/8",)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.9.10", "::1", "0.0.0.0", "::"),
        *("169.254.169.254", "169.254.1.1", "fe80::1", "fe80::1%eth0"),
        *("fd00:ec2::254", "100.100.100.200", "168.63.129.16"),
        *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "2002:7f00:1::"),
        *("224.0.0.1", "ff02::1", "255.255.255.255"),
    ],
)
def test_what_only_this_machine_reaches_is_refused_in_every_spelling(address):
    """Loopback, link-local, metadata, groups; also where IPv6 stands for them."""
    assert refusal(address)
    with pytest.raises(InvalidInput, match="nothing is sent there") as refused:
        check_host(address)
    assert "webhook_networks" in refused.value.hint


@pytest.mark.parametrize("address", ["10.0.0.1", "192.168.7.7", "93.184.216.34", "2001:db8::1"])
def test_other_addresses_may_be_reached(address):
    """A lab's receiver mostly has a private address."""
    assert refusal(address) == ""
    check_host(address)
    check_host("chat.example")


def test_an_administrator_may_allow_a_network():
    """That one, and no other."""
    assert refusal("127.0.0.1", HERE) == ""
    assert refusal("::ffff:127.0.0.1", HERE) == ""
    assert refusal("169.254.169.254", HERE)
    check_host("localhost", HERE)
    with pytest.raises(InvalidInput):
        check_host("metrics.localhost.")


@pytest.fixture
def listener():
    """Something that listens here, and whoever connected."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        yield server


def test_a_name_that_leads_here_is_refused_when_it_is_resolved(listener):
    """Nobody connects: the name is looked at again at each message."""
    port = listener.getsockname()[1]
    for host in ("localhost", "127.0.0.1", "[::ffff:127.0.0.1]"):
        with pytest.raises(OSError, match=r"this machine itself .*nothing is sent there"):
            Outbound().post(f"http://{host}:{port}/", b"x", {})
    listener.settimeout(0.05)
    with pytest.raises(TimeoutError):
        listener.accept()


def test_the_connection_goes_to_the_address_that_was_looked_at(listener, monkeypatch):
    """A name that answers differently a moment later leads nowhere else."""
    port, asked = listener.getsockname()[1], []
    real = socket.getaddrinfo

    def changing(host, *words, **more):
        asked.append(host)
        answer = "127.0.0.1" if asked.count(host) == 1 else "169.254.169.254"
        return real(answer if host == "rebound.example" else host, *words, **more)

    monkeypatch.setattr(socket, "getaddrinfo", changing)
    heard = []

    def answer():
        connection, _ = listener.accept()
        with connection:
            heard.append(connection.recv(4096))
            connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    thread = threading.Thread(target=answer)
    thread.start()
    assert Outbound(HERE).post(f"http://rebound.example:{port}/hook", b"told", {}) == 204
    thread.join(10)
    assert asked.count("rebound.example") == 1
    assert b"rebound.example" in heard[0]


def test_a_receiver_that_talks_ever_so_slowly_does_not_hold_us(listener):
    """The time is for the whole message; a byte now and then does not lengthen it."""
    ending = threading.Event()

    def drip():
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            for byte in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1000:
                if ending.wait(0.05):
                    return
                try:
                    connection.sendall(bytes([byte]))
                except OSError:
                    return

    thread = threading.Thread(target=drip)
    thread.start()
    began = time.monotonic()
    with pytest.raises(OSError, match="Timeout"):
        Outbound(HERE, seconds=0.5).post(f"http://127.0.0.1:{listener.getsockname()[1]}/", b"", {})
    taken = time.monotonic() - began
    ending.set()
    thread.join(10)

    assert 0.4 < taken < 10


def test_a_body_without_end_is_not_read(listener):
    """The status is all that is wanted."""
    ending = threading.Event()

    def pour():
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
            ending.wait(10)

    thread = threading.Thread(target=pour)
    thread.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    assert Outbound(HERE, seconds=5).post(url, b"", {}) == 200
    ending.set()
    thread.join(10)


def test_a_certificate_that_nobody_vouches_for_is_refused(listener):
    """TLS is checked against the name, though the connection goes to an address."""

    def hang_up():
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)

    thread = threading.Thread(target=hang_up)
    thread.start()
    with pytest.raises(OSError, match=r"Error|Timeout"):
        Outbound(HERE, seconds=5).post(f"https://127.0.0.1:{listener.getsockname()[1]}/", b"", {})
    thread.join(10)
    assert ssl.create_default_context().check_hostname


@pytest.mark.parametrize("url", ["ftp://x.example/", "http://", "no address", "http://[::1", ""])
def test_what_is_no_address_is_told_as_such(url):
    """It could stand in the database from before."""
    with pytest.raises(OSError, match=r"\S"):
        Outbound(HERE).post(url, b"", {})


@needs_netns
@pytest.mark.netns
def test_no_own_address_is_reached_whatever_interface_it_is_on():
    """Those of the LAN too, in IPv4, IPv6 and mapped, also if they came after the start."""
    with Lan() as lan:
        host = lan.host("srv", "10.99.0.1/24")
        asked = ("10.99.0.1", "::ffff:10.99.0.1", "10.99.0.2", "fd99::1", "fd99::2")
        before = host.inside(lambda: [refusal(address) for address in asked])
        host.run("ip", "addr", "add", "fd99::1/64", "dev", "eth0", "nodad")
        host.run("ip", "addr", "add", "10.99.0.2/32", "dev", "lo")
        after = host.inside(lambda: [refusal(address) for address in asked])
        allowed = host.inside(lambda: refusal("10.99.0.1", ["10.99.0.0/24"]))

    own = "this machine itself"
    assert before == [own, own, "", "", ""]
    assert after == [own, own, own, own, ""]
    assert allowed == ""
