"""Daemons that run in a namespace while a test talks to them."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from queue import Empty, Queue
from typing import TypeVar

import pytest

from netboot.boot.answer.proxy_dhcp import ProxyDhcp, Settings
from netboot.boot.told.events import Event
from netboot.images.versions.content_version import PublishedContent
from netboot.protocols.dhcp import Packet
from netboot.serve.dhcp.dhcpd import DhcpServer
from netboot.serve.udp import Loop
from tests.support.boot_requests import BOTH, SETTINGS
from tests.support.netlab import Host

E = TypeVar("E", bound=Event)


@dataclass
class Daemon:
    """A DHCP server that runs, and what it told."""

    server: DhcpServer
    events: Queue[Event] = field(default_factory=Queue)
    learned: list[tuple[str, str]] = field(default_factory=list)

    def event(self, kind: type[E], seconds: float = 5.0) -> E:
        """The next event of this kind; others are passed over."""
        while True:
            try:
                event = self.events.get(timeout=seconds)
            except Empty:
                raise AssertionError(f"no {kind.__name__} came") from None
            if isinstance(event, kind):
                return event


@contextmanager
def running_dhcpd(
    host: Host,
    *,
    settings: Settings = SETTINGS,
    content: PublishedContent = BOTH,
    ports: tuple[int, ...] = (67, 4011),
) -> Iterator[Daemon]:
    """A DhcpServer inside `host`, its loop on a thread of its own."""
    loop = Loop()
    events: Queue[Event] = Queue()
    learned: list[tuple[str, str]] = []
    server = host.inside(
        lambda: DhcpServer(
            loop=loop,
            interface=host.interface,
            proxy=ProxyDhcp(settings, lambda: content),
            emit=events.put,
            learn=lambda mac, ip: learned.append((mac, ip)),
            ports=ports,
        )
    )
    thread = threading.Thread(target=loop.run)
    thread.start()
    try:
        yield Daemon(server, events, learned)
    finally:
        loop.stop()
        thread.join()
        server.close()
        loop.close()


@pytest.fixture
def dhcpd() -> Callable[..., AbstractContextManager[Daemon]]:
    """Start a DhcpServer: `with dhcpd(host) as daemon`."""
    return running_dhcpd


class Firmware:
    """A client's end of the wire: sends as a ROM does and hears broadcasts."""

    def __init__(self, host: Host, port: int = 68) -> None:
        def make() -> socket.socket:
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, host.interface.encode())
            udp.bind(("", port))
            return udp

        self.socket = host.inside(make)

    def send(self, packet: Packet | bytes, to: tuple[str, int] = ("255.255.255.255", 67)) -> None:
        """Send a packet, by default as a broadcast to servers."""
        self.socket.sendto(bytes(packet), to)

    def receive(self, seconds: float = 5.0) -> tuple[Packet, tuple[str, int]]:
        """The next packet and who sent it."""
        self.socket.settimeout(seconds)
        data, source = self.socket.recvfrom(4096)
        return Packet.from_bytes(data), source

    def hears_nothing(self, seconds: float = 0.5) -> bool:
        """Whether nothing comes for so long."""
        try:
            self.receive(seconds)
        except TimeoutError:
            return True
        return False


@pytest.fixture
def firmware() -> Callable[..., Firmware]:
    """Make a client's socket: `firmware(host)`."""
    return Firmware
