"""The sockets of the boot services, network by network: opened and closed as networks come and go.

One process has one event loop for all of them. A network that did not change keeps its sockets and
its transfers.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from ipaddress import IPv4Network

from netboot.boot.answer.limits import RecentClients
from netboot.boot.answer.proxy_dhcp import ProxyDhcp, Settings
from netboot.boot.answer.several_networks import SeveralNetworks
from netboot.boot.files.names import ContentRef, Refusal
from netboot.boot.networks import Listening, Network, block_sizes, listenings, serving_addresses
from netboot.boot.told.events import DhcpStarted, Event
from netboot.config import Settings as SiteSettings
from netboot.errors import NetbootError
from netboot.images.versions.content_version import PublishedContent
from netboot.serve.content import OpenContent
from netboot.serve.dhcp.dhcpd import DhcpServer
from netboot.serve.dhcp.tally import Tally
from netboot.serve.tftp.limits import TftpLimits
from netboot.serve.tftp.tftpd import TftpServer
from netboot.serve.udp import Loop

TFTP_PORT = 69
FEWEST_TID_PORTS = 32


@dataclass(frozen=True, slots=True)
class DhcpParts:
    """What all DHCP servers of a process share."""

    settings: SiteSettings
    loop: Loop
    published: Callable[[], PublishedContent]
    emit: Callable[[Event], None]
    learn: Callable[[str, str], None]


class DhcpNetworks:
    """proxyDHCP on each interface. `tallies` are the requests by network, since the start."""

    def __init__(self, parts: DhcpParts) -> None:
        self._parts = parts
        self._ours: set[str] = set()
        self._open: dict[str, tuple[Listening, DhcpServer]] = {}
        self._ended: Counter[str] = Counter()
        self._started: tuple[str, str] | None = None
        self.tallies: dict[str, Tally] = {}

    @property
    def counts(self) -> Counter[str]:
        """Packets by outcome, of all interfaces since the start."""
        return sum((server.counts for _, server in self._open.values()), self._ended)

    @property
    def notes(self) -> dict[str, list[str]]:
        """For each interface, what does not work there."""
        return {interface: server.notes for interface, (_, server) in self._open.items()}

    @property
    def ports(self) -> list[int]:
        """The ports that are open on any interface."""
        return sorted({port for _, server in self._open.values() for port in server.ports})

    def apply(self, networks: Sequence[Network], *, strict: bool = False) -> dict[str, str]:
        """Serve these networks and no others; returns why an interface cannot be served.

        With `strict` it raises that: PortTaken, NotPermitted or InvalidInput.
        """
        wanted = {one.interface: one for one in listenings(networks)}
        self._ours.clear()
        self._ours.update(one.address for one in networks if one.address and not one.waits)
        for interface in [name for name, (at, _) in self._open.items() if wanted.get(name) != at]:
            _, server = self._open.pop(interface)
            server.close()
            self._ended += server.counts
        troubles = {}
        for interface, listening in wanted.items():
            if interface in self._open:
                continue
            try:
                self._open[interface] = (listening, self._server(listening))
            except (NetbootError, OSError) as fault:
                if strict:
                    raise
                troubles[interface] = str(fault)
        self._tell_start(networks)
        return troubles

    def close(self) -> None:
        for _, server in self._open.values():
            server.close()
        self._open.clear()

    def _server(self, listening: Listening) -> DhcpServer:
        recent = RecentClients()
        first = listening.own[0]
        own = [self._proxy(one, first.address, recent) for one in listening.own]
        behind = [
            self._proxy(one, first.address, recent, behind_relay=True) for one in listening.relayed
        ]
        simple = len(own) == 1 and not behind
        return DhcpServer(
            loop=self._parts.loop,
            interface=listening.interface,
            proxy=own[0] if simple else SeveralNetworks(own, behind),
            emit=self._parts.emit,
            learn=self._parts.learn,
            tallies=self.tallies,
        )

    def _proxy(
        self, network: Network, here: str, recent: RecentClients, *, behind_relay: bool = False
    ) -> ProxyDhcp:
        """The rules of a network; `here` is our address on the interface that is listened on."""
        site = self._parts.settings
        near = network.subnets
        relays = tuple(IPv4Network(relay) for relay in site.relays)
        if behind_relay and network.relayed is not None:
            near = relays = (network.relayed,)
        settings = Settings(
            server=network.address or here,
            name=network.name,
            http_port=site.http_port,
            networks=near,
            relays=relays,
            authority=site.uefi_authority,
            allowed=network.allowed,
            only_known=network.only_known,
            delay=network.response_delay,
        )
        return ProxyDhcp(settings, self._parts.published, recent=recent, ours=self._ours)

    def _tell_start(self, networks: Sequence[Network]) -> None:
        """Emit DhcpStarted for the first network, unless that is known already."""
        first = next(
            (one for one in networks if one.is_local and one.interface in self._open), None
        )
        if first is None or self._started == (first.interface, first.address):
            return
        self._started = first.interface, first.address
        notes = [
            note if len(self._open) == 1 else f"{interface}: {note}"
            for interface, said in self.notes.items()
            for note in said
        ]
        self._parts.emit(
            DhcpStarted(
                at=time.time(),
                interface=first.interface,
                address=first.address,
                ports=", ".join(map(str, self.ports)),
                notes="\n\n".join(notes),
            )
        )


@dataclass(frozen=True, slots=True)
class TftpParts:
    """What all TFTP servers of a process share. `resolve` also takes our address."""

    settings: SiteSettings
    loop: Loop
    resolve: Callable[[bytes, str, str], ContentRef | Refusal]
    open_content: OpenContent
    emit: Callable[[Event], None]
    processes: int


@dataclass(frozen=True, slots=True)
class _Place:
    interface: str
    index: int
    block_sizes: tuple[tuple[IPv4Network, int], ...]


class TftpNetworks:
    """TFTP at each of our addresses that machines load from."""

    def __init__(self, parts: TftpParts) -> None:
        self._parts = parts
        self._open: dict[str, tuple[_Place, TftpServer]] = {}
        self._ended: Counter[str] = Counter()

    @property
    def counts(self) -> Counter[str]:
        """Packets and transfers by outcome, of all addresses since the start."""
        running = (Counter(asdict(server.counters)) for _, server in self._open.values())
        return sum(running, self._ended)

    def apply(self, networks: Sequence[Network], *, strict: bool = False) -> dict[str, str]:
        """Serve these networks and no others; returns why an address cannot be served.

        With `strict` it raises that: PortTaken, NotPermitted or InvalidInput.
        """
        sizes = self._parts.settings.tftp_block_sizes.items()
        usual = tuple((IPv4Network(where), size) for where, size in sizes)
        indexes = {one.interface: one.index for one in networks}
        wanted = {
            address: _Place(
                interface, indexes.get(interface, 0), block_sizes(networks, address, usual)
            )
            for address, interface in serving_addresses(networks).items()
        }
        for address in [one for one, (at, _) in self._open.items() if wanted.get(one) != at]:
            _, server = self._open.pop(address)
            server.close()
            self._ended += Counter(asdict(server.counters))
        troubles = {}
        for address, place in wanted.items():
            if address in self._open:
                continue
            try:
                self._open[address] = (place, self._server(address, place, len(wanted)))
            except (NetbootError, OSError) as fault:
                if strict:
                    raise
                troubles[address] = str(fault)
        return troubles

    def tell_running(self, now: float) -> None:
        """Emit an event for each transfer, by which others see that this process lives."""
        for _, server in self._open.values():
            server.tell_running(now)

    def close(self) -> None:
        for _, server in self._open.values():
            server.close()
        self._open.clear()

    def _server(self, address: str, place: _Place, among: int) -> TftpServer:
        parts = self._parts
        limits = TftpLimits(block_sizes=place.block_sizes)
        # Each network has its own limits, so that a flood in one costs the others nothing; the
        # sockets for unknown clients are shared out.
        ports = max(FEWEST_TID_PORTS, limits.tid_ports // among)
        return TftpServer(
            loop=parts.loop,
            address=address,
            port=TFTP_PORT,
            interface=place.interface,
            resolve=lambda name, ip: parts.resolve(name, ip, address),
            open_content=parts.open_content,
            emit=parts.emit,
            limits=replace(limits, tid_ports=ports),
            workers=parts.processes,
        )
