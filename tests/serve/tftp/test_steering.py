"""Who hears whom, when several processes share a port."""

import socket
from collections import Counter

import pytest

from netboot.boot.told.events import Event, TransferRefused
from netboot.protocols.tftp import Error, OptionAck, ReadRequest, from_bytes
from netboot.serve.tftp.limits import TftpLimits
from netboot.serve.tftp.steering import steer_by_source, worker_of
from netboot.serve.tftp.tftpd import TftpServer
from netboot.serve.udp import Loop, open_udp
from tests.support.serving import Files, looping

pytestmark = pytest.mark.loopback

WORKERS = 4


def test_an_address_has_one_worker_whatever_port_it_asks_from() -> None:
    """Eight addresses of this machine, eight ports each."""
    first = open_udp("127.0.0.1", 0, reuse_port=True)
    port = first.getsockname()[1]
    others = [open_udp("127.0.0.1", port, reuse_port=True) for _ in range(WORKERS - 1)]
    group = [first, *others]
    heard: dict[str, Counter[int]] = {}
    try:
        assert all(steer_by_source(each, WORKERS) for each in group)
        for last in range(1, 9):
            for _ in range(8):
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                    client.bind((f"127.0.0.{last}", 0))
                    client.sendto(b"x", ("127.0.0.1", port))
        for index, each in enumerate(group):
            for ip in received(each):
                heard.setdefault(ip, Counter())[index] += 1
    finally:
        for each in group:
            each.close()

    assert {ip: Counter({worker_of(ip, WORKERS): 8}) for ip in heard} == heard
    assert len(heard) == 8


def received(udp: socket.socket) -> list[str]:
    """The senders of all that waits in a socket."""
    senders = []
    while True:
        try:
            senders.append(udp.recvfrom(16)[1][0])
        except BlockingIOError:
            return senders


def test_neighbours_are_spread_over_the_workers() -> None:
    """A full subnet gives each of four workers about a quarter."""
    shares = Counter(worker_of(f"10.77.{high}.{low}", 4) for high in range(4) for low in range(256))

    assert sorted(shares) == [0, 1, 2, 3]
    assert max(shares.values()) <= 1.2 * min(shares.values())


def test_one_kind_of_socket_cannot_be_steered() -> None:
    """Without a shared port there is nothing to pick from: the caller shares limits instead."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        assert not steer_by_source(other, 2)


def test_a_source_has_its_whole_limit_with_two_workers() -> None:
    """Six places for strangers are six, not three for each worker that happens to be asked."""
    events: list[Event] = []
    files = Files({"f": bytes(5000)})
    loop = Loop()

    def server(port: int) -> TftpServer:
        return TftpServer(
            loop=loop,
            address="127.0.0.1",
            port=port,
            resolve=files.resolve,
            open_content=files.open_content,
            emit=events.append,
            limits=TftpLimits(sessions_per_source=6),
            workers=2,
        )

    one = server(0)
    two = server(one.port)
    request = bytes(ReadRequest(b"f", "octet", {"blksize": b"1000"}))
    clients, answers = [], []
    with looping(loop):
        for _ in range(8):
            client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            client.settimeout(5)
            client.bind(("127.0.0.1", 0))
            clients.append(client)
            client.sendto(request, ("127.0.0.1", one.port))
            packet, tid = client.recvfrom(2000)
            answers.append(from_bytes(packet))
            client.sendto(b"\0\4\0\0", tid)
            if isinstance(answers[-1], OptionAck):
                client.recvfrom(2000)  # the first block: he is known by now
    for client in clients:
        client.close()
    for each in (one, two):
        each.close()
    loop.close()

    assert [type(answer) for answer in answers] == [OptionAck] * 6 + [Error] * 2
    refused = [event for event in events if isinstance(event, TransferRefused)]
    assert len(refused) == 2
    assert {one.counters.requests, two.counters.requests} == {0, 8}
