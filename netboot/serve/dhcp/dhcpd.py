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
from netboot.boot.answer.dhcp_on_host import option_60_lines
from netboot.boot.answer.proxy_dhcp import Answer, Ignored, ProxyDhcp, learned_address
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
_NEVER_LOOKED: Final = (0.0, False)
# An attribute of an Enum class costs a call in Python 3.11.
_DISCOVER, _REQUEST = MessageType.DISCOVER, MessageType.REQUEST
# A call of a class with keywords makes a dict of them; its two halves called one by one do not.
_new = object.__new__


class DhcpServer:
    """Answers boot clients on one interface.

    `notes` tell the administrator what does not work here, and the fix. `counts` has the packets
    by outcome.
    """

    def __init__(
        self,
        *,
        loop: Loop,
        interface: str,
        address: str,
        proxy: ProxyDhcp,
        emit: Callable[[Event], None],
        learn: Callable[[str, str], None],
        ports: tuple[int, ...] = (67, 4011),
        watch_others: bool = True,
    ) -> None:
        """Listen. Raises PortTaken if no port is left, NotPermitted or InvalidInput."""
        self.counts: Counter[str] = Counter()
        self.notes: list[str] = []
        self._loop = loop
        self._proxy = proxy
        self._emit = emit
        self._learn = learn
        self._said: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._interface, self._address = interface, address
        self._source = _source_address(address)
        self._as_we: dict[str, tuple[float, bool]] = {}
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
        decided: tuple[str, Answer | Ignored, Packet | None],
        now: float,
    ) -> None:
        source, outcome, packet = decided
        if isinstance(outcome, Answer):
            self._send(udp, port, outcome, now)
        else:
            self._keep_silent(port, outcome, source, now)
        if packet is None or packet.message_type is not _REQUEST:
            return
        ip = learned_address(packet)
        if ip and not packet.mac[0] & 1:  # not for a multicast MAC address
            self._learn(packet.mac_address, ip)
            if self._proxy.knows(packet.mac):
                self._emit(AddressLearned(at=time.time(), mac=packet.mac_address, ip=ip))

    def _send(self, udp: socket.socket, port: int, answer: Answer, now: float) -> None:
        payload, destination, client, file, version, reason, warning = answer
        at = time.time()
        if client.message is _DISCOVER:
            self._emit(_discovered(client, at))
        try:
            if self._leaves_as_we(destination, now):
                udp.sendto(payload, destination)
            else:
                udp.sendmsg([payload], self._source, 0, destination)
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

    def _leaves_as_we(self, destination: tuple[str, int], now: float) -> bool:
        """Whether the system sends there from our address by itself: plain sendto costs less."""
        ip = destination[0]
        until, as_we = self._as_we.get(ip, _NEVER_LOOKED)
        if now >= until:
            if len(self._as_we) >= _SOURCES_REMEMBERED:
                self._as_we.clear()
            as_we = _source_towards(destination, self._interface) == self._address
            self._as_we[ip] = (now + _SOURCE_HOLDS, as_we)
        return as_we

    def _keep_silent(self, port: int, ignored: Ignored, source: str, now: float) -> None:
        self.counts["malformed" if ignored.malformed else "ignored"] += 1
        if not ignored.notable:
            return
        client = ignored.client
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


def _source_address(address: str) -> list[tuple[int, int, bytes]]:
    """Ancillary data that makes an answer come from `address` (IP_PKTINFO, ip(7)).

    Without it the system chooses by the destination, and a card may have several addresses.
    """
    if not address:
        return []
    info = struct.pack("=i4s4s", 0, socket.inet_aton(address), bytes(4))
    return [(socket.IPPROTO_IP, _IP_PKTINFO, info)]


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
