"""The proxyDHCP server: sockets, events and counters around the answers of `boot.answer`.

Port 67 receives broadcasts next to the site's own DHCP server; 4011 is PXE's boot server port. If
a DHCP server on this host holds port 67, we serve 4011 only, and show the lines that its
configuration needs. Nothing here may block, and no datagram may end the daemon.
"""

import errno
import socket
import struct
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from netboot.boot.answer.client import BootClient
from netboot.boot.answer.decision import Settings
from netboot.boot.answer.dhcp_on_host import option_60_lines
from netboot.boot.answer.proxy_dhcp import Answer, Ignored, ProxyDhcp, learned_address
from netboot.boot.answer.several_networks import SeveralNetworks
from netboot.boot.told.events import (
    AddressLearned,
    Discovered,
    Event,
    ForeignOffer,
    OfferSent,
    RequestIgnored,
)
from netboot.errors import NetbootError, PortTaken
from netboot.protocols.dhcp import SERVER_PORT, MessageType, Packet
from netboot.serve.dhcp.offer_tap import OfferTap
from netboot.serve.dhcp.tally import Tally
from netboot.serve.port_holder import who_holds
from netboot.serve.udp import Loop, open_udp

_DATAGRAMS_PER_WAKE: Final = 64
_LARGEST: Final = 4096
_RECEIVE_BUFFER: Final = 4 * 1024 * 1024  # a few thousand requests may wait
_SO_RCVBUFFORCE: Final = 33  # neither is in Python 3.11's socket module
_IP_PKTINFO: Final = 8
_NO_ADDRESS: Final = "0.0.0.0"  # noqa: S104 - compared with the source of a DISCOVER
_SAME_REASON_AGAIN: Final = 10.0  # seconds
_REASONS_REMEMBERED: Final = 1024
_SOURCE_HOLDS: Final = 10.0  # seconds: addresses and routes may change
_SOURCES_REMEMBERED: Final = 64
_NEVER_LOOKED: Final = (0.0, "")
_MOST_DELAYED: Final = 4096
"""Answers that wait for their network's delay; the sender of a flood must not decide it."""
# An attribute of an Enum class costs a call in Python 3.11.
_DISCOVER, _REQUEST = MessageType.DISCOVER, MessageType.REQUEST
# A call of a class with keywords makes a dict of them; its two halves called one by one do not.
_new = object.__new__


class DhcpServer:
    """Answers boot clients on one interface.

    `notes` tell the administrator what does not work here, and the fix. `counts` has the packets
    by outcome, `tallies` the boot requests by network.
    """

    def __init__(
        self,
        *,
        loop: Loop,
        interface: str,
        proxy: ProxyDhcp | SeveralNetworks,
        emit: Callable[[Event], None],
        learn: Callable[[str, str], None],
        ports: tuple[int, ...] = (67, 4011),
        watch_others: bool = True,
        tallies: dict[str, Tally] | None = None,
    ) -> None:
        """Listen; `tallies` are continued.

        Raises PortTaken if no port is left, NotPermitted or InvalidInput.
        """
        self.counts: Counter[str] = Counter()
        self.tallies: dict[str, Tally] = {} if tallies is None else tallies
        self.notes: list[str] = []
        self._loop = loop
        self._proxy = proxy
        self._emit = emit
        self._learn = learn
        self._said: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._interface = interface
        self._ancillary: dict[str, list[tuple[int, int, bytes]]] = {}
        self._sources: dict[str, tuple[float, str]] = {}
        self._delayed = 0
        self._counted: Settings | None = None
        self._tally = Tally()
        self._sockets: dict[int, socket.socket] = {}
        self._tap: OfferTap | None = None
        try:
            self._open(interface, ports)
        except NetbootError:
            self.close()
            raise
        if watch_others:
            try:
                self._tap = OfferTap(loop=loop, interface=interface, heard=self._overhear)
            except NetbootError as error:
                self.notes.append(f"other boot servers will not be detected: {error}")

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports that we could open."""
        return tuple(self._sockets)

    def close(self) -> None:
        for udp in self._sockets.values():
            self._loop.remove_reader(udp.fileno())
            udp.close()
        self._sockets.clear()
        if self._tap is not None:
            self._tap.close()
            self._tap = None

    def _open(self, interface: str, ports: tuple[int, ...]) -> None:
        for port in ports:
            try:
                # Bound to every address: a socket bound to one address gets no broadcasts.
                udp = open_udp("", port, interface=interface, broadcast=True)
            except PortTaken as taken:
                if port != SERVER_PORT or len(ports) == 1:
                    raise
                self.notes.append(_next_to_dhcp_server(taken))
                continue
            try:
                udp.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER)  # needs root
            except OSError:
                udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
            self._sockets[port] = udp
            self._loop.add_reader(udp.fileno(), self._reader(udp, port))

    def _reader(self, udp: socket.socket, port: int) -> Callable[[float], None]:
        decide = self._proxy.receive

        def ready(now: float) -> None:
            """Read what waits, then answer it: each finds its code in the caches.

            The kernel's code and Python's drive each other out of the processor's caches: a storm's
            answer costs a tenth less than with one after the other.
            """
            made = []
            for data, source in self._waiting(udp):
                try:
                    made.append((source[0], *decide(data, port, source, now)))
                except Exception as bug:  # noqa: BLE001 - it must not cost the others their answers
                    self._loop.soon(_raising(bug))
            for decided in made:
                try:
                    self._carry_out(udp, port, decided, now)
                except Exception as bug:  # noqa: BLE001 - likewise
                    self._loop.soon(_raising(bug))

        return ready

    def _waiting(self, udp: socket.socket) -> list[tuple[bytes, tuple[str, int]]]:
        """The datagrams that wait, with their sources."""
        found: list[tuple[bytes, tuple[str, int]]] = []
        receive, note = udp.recvfrom, found.append
        for _ in range(_DATAGRAMS_PER_WAKE):
            try:
                note(receive(_LARGEST))
            except BlockingIOError:
                break
            except OSError as error:  # an ICMP error of an earlier answer
                self.counts[f"receive error {errno.errorcode.get(error.errno or 0)}"] += 1
        return found

    def _carry_out(
        self,
        udp: socket.socket,
        port: int,
        decided: tuple[str, Answer | Ignored, Packet | None, Settings],
        now: float,
    ) -> None:
        source, outcome, packet, network = decided
        if network is not self._counted:
            self._counted = network
            self._tally = self.tallies.setdefault(network.name, Tally())
        if isinstance(outcome, Answer):
            tally = self._tally
            tally.answered += 1
            tally.last = now
            if outcome.client.relay:
                tally.relayed(outcome.client.relay, now)
            if network.delay and outcome.client.message is _DISCOVER:
                self._send_later(udp, port, outcome, network, now)
            else:
                self._send(udp, port, outcome, network, now)
        else:
            self._keep_silent(port, outcome, source, now)
        if packet is None or packet.message_type is not _REQUEST:
            return
        ip = learned_address(packet)
        if ip and not packet.mac[0] & 1:  # not for a multicast MAC address
            self._learn(packet.mac_address, ip)
            if self._proxy.knows(packet.mac):
                self._emit(AddressLearned(at=time.time(), mac=packet.mac_address, ip=ip))

    def _send_later(
        self, udp: socket.socket, port: int, offer: Answer, network: Settings, now: float
    ) -> None:
        """Send an OFFER after its network's delay, so that another boot server comes first."""
        self._emit(_discovered(offer.client, time.time()))
        if self._delayed >= _MOST_DELAYED:
            self.counts["delayed answers dropped"] += 1
            reason = f"{_MOST_DELAYED} answers wait for the response delay already"
            self._report_ignored(offer.client.mac, port, reason, "", now)
            return
        self._delayed += 1

        def due(now: float) -> None:
            self._delayed -= 1
            if self._sockets.get(port) is udp:
                self._send(udp, port, offer, network, now)

        self._loop.at(now + network.delay, due)

    def _send(
        self, udp: socket.socket, port: int, answer: Answer, network: Settings, now: float
    ) -> None:
        payload, destination, client, file, version, reason, warning = answer
        at, address = time.time(), network.server
        if client.message is _DISCOVER and not network.delay:
            self._emit(_discovered(client, at))
        try:
            if self._leaves_as(address, destination, now):
                udp.sendto(payload, destination)
            else:
                udp.sendmsg([payload], self._source_address(address), 0, destination)
        except OSError as error:
            self.counts["send failed"] += 1
            failed = f"the answer could not be sent to {destination[0]}: {error.strerror}"
            self._report_ignored(client.mac, port, failed, client.address, now)
            return
        self.counts["answered"] += 1
        sent = _new(OfferSent)
        OfferSent.__init__(
            sent,
            at=at,
            mac=client.mac,
            ip=client.address,
            file=file,
            image=version.image,
            version=version.number,
            port=port,
            reason=reason,
            warning=warning,
        )
        self._emit(sent)

    def _leaves_as(self, address: str, destination: tuple[str, int], now: float) -> bool:
        """Whether the system sends there from `address` by itself: plain sendto costs less."""
        ip = destination[0]
        until, source = self._sources.get(ip, _NEVER_LOOKED)
        if now >= until:
            if len(self._sources) >= _SOURCES_REMEMBERED:
                self._sources.clear()
            source = _source_towards(destination, self._interface)
            self._sources[ip] = (now + _SOURCE_HOLDS, source)
        return source == address

    def _source_address(self, address: str) -> list[tuple[int, int, bytes]]:
        """Ancillary data that makes an answer come from `address` (IP_PKTINFO, ip(7)).

        Without it the system chooses by the destination, and a card may have several addresses.
        """
        made = self._ancillary.get(address)
        if made is None:
            info = struct.pack("=i4s4s", 0, socket.inet_aton(address), bytes(4))
            made = self._ancillary[address] = [(socket.IPPROTO_IP, _IP_PKTINFO, info)]
        return made

    def _keep_silent(self, port: int, ignored: Ignored, source: str, now: float) -> None:
        self.counts["malformed" if ignored.malformed else "ignored"] += 1
        client = ignored.client
        if client is not None:
            self._tally.refused += 1
            self._tally.last = now
            if client.relay:
                self._tally.relayed(client.relay, now)
        if not ignored.notable:
            return
        if client is not None and client.message is _DISCOVER:
            self._emit(_discovered(client, time.time()))
        mac = client.mac if client is not None else ignored.mac
        ip = "" if source == _NO_ADDRESS else source
        self._report_ignored(mac, port, ignored.reason, ip, now)

    def _report_ignored(self, mac: str, port: int, reason: str, ip: str, now: float) -> None:
        """Emit a refusal; the same one for the same machine at most every ten seconds."""
        key = (mac or ip, reason)
        if now - self._said.get(key, -_SAME_REASON_AGAIN) < _SAME_REASON_AGAIN:
            return
        self._said.pop(key, None)
        if len(self._said) >= _REASONS_REMEMBERED:
            self._said.popitem(last=False)
        self._said[key] = now
        self._emit(RequestIgnored(at=time.time(), mac=mac, ip=ip, reason=reason, port=port))

    def _overhear(self, data: bytes, source: str, now: float) -> None:
        found = self._proxy.overhear(data, source=source, now=now)
        if found is not None:
            self.counts["foreign offers"] += 1
            self._emit(
                ForeignOffer(at=time.time(), mac=found.mac, server=found.server, file=found.file)
            )


def _raising(bug: Exception) -> Callable[[float], None]:
    """For the loop, which prints it and counts it."""

    def call(_now: float) -> None:
        raise bug

    return call


def _discovered(client: BootClient, at: float) -> Discovered:
    found = _new(Discovered)
    Discovered.__init__(
        found,
        at=at,
        mac=client.mac,
        ip=client.address,
        # StrEnum members are texts already; str() of each would cost as much as the event.
        architecture=client.architecture or "",
        firmware=client.firmware,
        stage=client.stage,
        machine_id=client.machine_id,
        vendor_class=client.vendor_class,
        nic=client.nic,
        relay=client.relay,
    )
    return found


def _source_towards(destination: tuple[str, int], interface: str) -> str:
    """The source address that the system chooses for this destination and interface."""
    with (
        suppress(OSError, NetbootError),
        open_udp("", 0, interface=interface, broadcast=True) as probe,
    ):
        probe.connect(destination)
        return str(probe.getsockname()[0])
    return ""


def _next_to_dhcp_server(taken: PortTaken) -> str:
    lines = option_60_lines(who_holds(SERVER_PORT, protocol="udp"))
    return (
        f"{taken}: serving port 4011 only. That DHCP server must send boot clients to this port;"
        f" its configuration needs:\n{lines}"
    )
