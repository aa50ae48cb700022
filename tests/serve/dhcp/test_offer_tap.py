"""Other servers' broadcasts are heard without taking a port from anybody."""

import socket
import threading
from collections.abc import Iterator
from queue import Empty, Queue

import pytest

from netboot.errors import InvalidInput
from netboot.serve.dhcp.offer_tap import OfferTap
from netboot.serve.udp import Loop
from tests.support.netlab import Host, Lan, needs_netns

pytestmark = [pytest.mark.netns, needs_netns]

Heard = Queue[tuple[bytes, str, float]]


@pytest.fixture
def lan() -> Iterator[Lan]:
    """A LAN with nothing on it."""
    with Lan() as made:
        yield made


def sender(host: Host) -> socket.socket:
    """A socket that may broadcast, as a DHCP server's."""

    def make() -> socket.socket:
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
        udp.bind(("", 67))
        return udp

    return host.inside(make)


def test_only_datagrams_to_clients_are_heard(lan: Lan) -> None:
    """The kernel filters: other ports never wake us, and neither does what we send ourselves."""
    here, there = lan.host("here", "10.77.0.2/24"), lan.host("there", "10.77.0.9/24")
    loop = Loop()
    heard: Heard = Queue()
    tap = here.inside(
        lambda: OfferTap(loop=loop, interface="eth0", heard=lambda *one: heard.put(one))
    )
    thread = threading.Thread(target=loop.run)
    thread.start()
    other, own = sender(there), sender(here)
    try:
        own.sendto(b"our own", ("255.255.255.255", 68))
        other.sendto(b"for servers", ("255.255.255.255", 67))
        other.sendto(b"for clients", ("255.255.255.255", 68))
        other.sendto(b"", ("255.255.255.255", 68))
        first, second = heard.get(timeout=5), heard.get(timeout=5)
    finally:
        loop.stop()
        thread.join()
        tap.close()
        other.close()
        own.close()

    assert (first[:2], second[:2]) == ((b"for clients", "10.77.0.9"), (b"", "10.77.0.9"))
    with pytest.raises(Empty):
        heard.get_nowait()


def test_an_interface_that_is_not_there_is_named(lan: Lan) -> None:
    """The daemon goes on without the tap and says so."""
    host = lan.host("here", "10.77.0.2/24")
    with pytest.raises(InvalidInput, match="cannot listen on interface 'eth7'"):
        host.inside(lambda: OfferTap(loop=Loop(), interface="eth7", heard=lambda *_: None))
