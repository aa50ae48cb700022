"""Requests that wait together are read together: a bug with one costs the others nothing."""

import socket
import threading
import time
from dataclasses import replace

import pytest

from netboot.boot.answer.proxy_dhcp import ProxyDhcp
from netboot.boot.told.events import Event
from netboot.serve.dhcp.dhcpd import DhcpServer
from netboot.serve.udp import Loop
from tests.support.boot_requests import BOTH, SETTINGS, request
from tests.support.serving import looping

pytestmark = pytest.mark.loopback

MACS = [bytes((2, 0, 0, 0, 0, number)) for number in range(5)]
BAD = MACS[2].hex(":")


class Place:
    """A server on loopback, whose answers to the bad machine hit a bug."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
        self.events: list[Event] = []
        self.loop = Loop()
        proxy = ProxyDhcp(replace(SETTINGS, server="127.0.0.1"), lambda: BOTH)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        if where == "decision":
            answer = proxy.answer

            def decide(packet, port, source, now):
                if packet.mac == MACS[2]:
                    raise KeyError(BAD)
                return answer(packet, 67, source, now)

            monkeypatch.setattr(proxy, "answer", decide)
        self.where = where
        self.server = DhcpServer(
            loop=self.loop,
            interface="lo",
            proxy=proxy,
            emit=self.emit,
            learn=lambda _mac, _ip: None,
            ports=(self.port,),
            watch_others=False,
        )

    def emit(self, event: Event) -> None:
        if self.where == "event" and event.mac == BAD:
            raise KeyError(BAD)
        self.events.append(event)


@pytest.mark.parametrize("where", ["decision", "event"])
def test_a_bug_with_one_request_costs_the_others_no_answer(monkeypatch, capfd, where):
    place = Place(monkeypatch, where)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        for number, mac in enumerate(MACS):  # all wait before the first is read
            packet = request(mac=mac, xid=number + 1, relay=bytes((10, 78, 0, 2)))
            client.sendto(bytes(packet), ("127.0.0.1", place.port))
    with looping(place.loop):
        until = time.monotonic() + 10
        while len(heard(place)) < 4:
            assert time.monotonic() < until, heard(place)
        told = threading.Event()
        place.loop.soon(lambda _now: told.set())  # after the bug, which was handed over before
        assert told.wait(10)
    place.server.close()

    assert BAD in capfd.readouterr().err
    assert heard(place) == {mac.hex(":") for mac in MACS} - {BAD}


def heard(place: Place) -> set[str]:
    """The machines of which the journal was told."""
    return {event.mac for event in place.events}
