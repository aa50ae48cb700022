"""The server's transfer ports: shared by strangers, a client's own once he has answered."""

import resource
import socket
from collections.abc import Iterator

import pytest

from netboot.serve.tftp.tid_pool import (
    IP_PKTINFO,
    Peer,
    TidPool,
    path_mtu,
    raise_descriptor_limit,
    receive_with_destination,
)
from netboot.serve.udp import Loop, open_udp
from tests.support.serving import udp_client

pytestmark = pytest.mark.loopback


class Heard:
    """What the pool handed on, and the loop that it hangs on."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.packets: list[tuple[bytes, Peer, int]] = []

    def receive(self, packet: bytes, peer: Peer, tid: int, now: float) -> None:
        del now
        self.packets.append((packet, peer, tid))
        self.loop.stop()


@pytest.fixture
def heard() -> Iterator[Heard]:
    made = Heard()
    yield made
    made.loop.close()


@pytest.fixture
def pool(heard: Heard) -> Iterator[TidPool]:
    made = TidPool(heard.loop, address="127.0.0.1", interface="", ports=8, receive=heard.receive)
    yield made
    made.close()


def test_every_port_of_the_pool_is_another(pool: TidPool) -> None:
    """Eight sockets, eight ports, any of which may be picked."""
    ports = {shared.getsockname()[1] for shared in pool._sockets}

    assert len(ports) == 8
    assert {pool.pick() for _ in range(500)} == set(range(8))


def test_strangers_are_answered_and_heard_on_shared_ports(pool: TidPool, heard: Heard) -> None:
    """What goes out from a port comes back to it."""
    with udp_client() as one, udp_client() as two:
        for client in (one, two):
            pool.send(3, [b"head", memoryview(b"body")], peer=client.getsockname(), to="127.0.0.1")
            packet, port = client.recvfrom(100)
            assert packet == b"headbody"
            client.sendto(b"answer", port)
            heard.loop.run()

        assert heard.packets == [
            (b"answer", one.getsockname(), 3),
            (b"answer", two.getsockname(), 3),
        ]


def test_a_client_gets_a_socket_of_its_own_on_the_same_port(pool: TidPool, heard: Heard) -> None:
    """The kernel sorts: his packets come there, strangers' stay with the pool."""
    with udp_client() as client, udp_client() as stranger:
        own = pool.connect(2, peer=client.getsockname(), to="127.0.0.1", now=0.0)
        assert own is not None
        assert own.getsockname() == pool._sockets[2].getsockname()
        client.sendto(b"mine", own.getsockname())
        stranger.sendto(b"not mine", own.getsockname())
        heard.loop.run()

        assert own.recv(100) == b"mine"
        with pytest.raises(BlockingIOError):
            own.recv(100)
        assert heard.packets == [(b"not mine", stranger.getsockname(), 2)]
        own.close()


def test_nobody_else_is_given_a_port_of_the_pool(pool: TidPool) -> None:
    """A program that asks for any port, to be shared, gets one that is not ours."""
    with udp_client() as client:
        own = pool.connect(0, peer=client.getsockname(), to="127.0.0.1", now=0.0)
        assert own is not None
        taken = own.getsockname()
        for shared in pool._sockets:
            assert shared.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR) == 0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with pytest.raises(OSError, match="in use"):
                other.bind(taken)
        own.close()


def test_many_clients_share_a_port(pool: TidPool) -> None:
    """Fifty clients on one port, each with his own socket."""
    clients = [udp_client() for _ in range(50)]
    owns = [pool.connect(0, peer=c.getsockname(), to="127.0.0.1", now=0.0) for c in clients]
    for number, client in enumerate(clients):
        client.sendto(b"%d" % number, pool._sockets[0].getsockname())

    got = [own.recv(100) for own in owns if own is not None]

    assert got == [b"%d" % number for number in range(50)]
    for udp in [*clients, *owns]:
        assert udp is not None
        udp.close()


def test_without_descriptors_the_pool_goes_on(pool: TidPool) -> None:
    """No socket of his own for the client: the caller is told, nothing breaks."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with udp_client() as client:
        resource.setrlimit(resource.RLIMIT_NOFILE, (client.fileno(), hard))
        try:
            own = pool.connect(0, peer=client.getsockname(), to="127.0.0.1", now=0.0)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert own is None


def test_a_client_that_cannot_be_reached_is_no_error(pool: TidPool) -> None:
    """Unreachable is as good as lost on the way."""
    pool.send(0, [b"x"], peer=("255.255.255.255", 9), to="127.0.0.1")

    assert pool.connect(0, peer=("255.255.255.255", 9), to="127.0.0.1", now=0.0) is None


@pytest.mark.parametrize("bound", ["", "127.0.0.1"])
def test_we_know_at_which_address_we_were_asked(bound: str) -> None:
    """So that the answer comes from there, on a machine with many addresses."""
    udp = open_udp(bound, 0)
    udp.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
    udp.settimeout(2)
    with udp_client() as client:
        client.sendto(b"hello", ("127.0.0.1", udp.getsockname()[1]))
        arrival = receive_with_destination(udp, 100)

        assert (arrival.packet, arrival.peer) == (b"hello", client.getsockname())
    assert arrival.to == "127.0.0.1"
    assert not arrival.broadcast
    udp.close()


def test_a_packet_for_everybody_is_known_as_such() -> None:
    """What was sent to the broadcast address was not sent to us alone."""
    udp = open_udp("", 0)
    udp.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
    udp.settimeout(2)
    with udp_client() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        client.sendto(b"hello", ("127.255.255.255", udp.getsockname()[1]))
        arrival = receive_with_destination(udp, 100)

    assert arrival.broadcast
    udp.close()


def test_the_size_of_packets_on_a_path() -> None:
    """Loopback carries 64 KiB; where nobody knows, Ethernet's 1500."""
    assert path_mtu(("127.0.0.1", 9)) >= 65535
    assert path_mtu(("255.255.255.255", 9)) == 1500


def test_as_many_descriptors_as_we_may_have() -> None:
    """The soft limit is raised to the hard one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(512, soft), hard))

    raise_descriptor_limit()

    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
