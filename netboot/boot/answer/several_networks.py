"""Several networks behind one interface: each request is answered by the rules of its own.

A relayed request belongs to the network that its relay is in (`giaddr`, RFC 2131 §4.1), one with
an address to the network of that address. A DISCOVER that was heard directly has neither: it
belongs to the interface's first network.
"""

from collections.abc import Sequence

from netboot.boot.answer.decision import Settings
from netboot.boot.answer.destination import Masks
from netboot.boot.answer.proxy_dhcp import Answer, Ignored, ProxyDhcp, malformed
from netboot.boot.answer.rogue_servers import ForeignBootServer
from netboot.errors import ProtocolError
from netboot.protocols.dhcp import NO_ADDRESS, Packet, from_dotted

_Rules = tuple[tuple[Masks, ProxyDhcp], ...]


class SeveralNetworks:
    """The rules of an interface's `own` networks, first one first, and of those behind relays.

    Its methods are those of ProxyDhcp. All of them share one memory of recent clients.
    """

    def __init__(self, own: Sequence[ProxyDhcp], relayed: Sequence[ProxyDhcp]) -> None:
        self._first = own[0]
        self._by_relay: _Rules = tuple((one.settings.relay_masks, one) for one in relayed)
        local = tuple((one.settings.local_masks, one) for one in own)
        self._by_address: _Rules = (*local, *self._by_relay)

    def receive(
        self, data: bytes, port: int, source: tuple[str, int], now: float
    ) -> tuple[Answer | Ignored, Packet | None, Settings]:
        """As ProxyDhcp.receive, by the rules of the packet's network."""
        try:
            packet = Packet.from_bytes(data)
        except ProtocolError as error:
            return malformed(data, str(error)), None, self._first.settings
        rules = self._rules(packet, source[0])
        return rules.answer(packet, port, source, now), packet, rules.settings

    def overhear(self, data: bytes, *, source: str, now: float) -> ForeignBootServer | None:
        return self._first.overhear(data, source=source, now=now)

    def knows(self, mac: bytes) -> bool:
        return self._first.knows(mac)

    def _rules(self, packet: Packet, source: str) -> ProxyDhcp:
        if packet.relay != NO_ADDRESS:
            return _holding(self._by_relay, packet.relay) or self._first
        address = packet.client_address
        if address == NO_ADDRESS:
            address = from_dotted(source)
        if address == NO_ADDRESS:
            return self._first
        return _holding(self._by_address, address) or self._first


def _holding(rules: _Rules, address: bytes) -> ProxyDhcp | None:
    """The rules of the network with this address."""
    number = int.from_bytes(address, "big")
    for networks, proxy in rules:
        if any(number & mask == network for mask, network in networks):
            return proxy
    return None
