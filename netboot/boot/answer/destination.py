"""Where an answer goes: only where its request may have come from, since sources can be forged.

RFC 2131 §4.1: the answer to a relayed request goes to the relay, on the server port; a client
without an address receives broadcasts only. A boot server's ACK goes back to its client (PXE 2.1
§2.2).
"""

from ipaddress import IPv4Network
from typing import Final

from netboot.boot.answer.client import BootClient
from netboot.protocols.dhcp import CLIENT_PORT, SERVER_PORT, MessageType, Packet, from_dotted
from netboot.protocols.pxe import BOOT_SERVER_PORT

BROADCAST: Final = "255.255.255.255"
_DISCOVER: Final = MessageType.DISCOVER
_FIRMWARE_PORTS: Final = frozenset({CLIENT_PORT, SERVER_PORT, BOOT_SERVER_PORT})

Masks = tuple[tuple[int, int], ...]
"""Networks as netmask and address: cheap to compare for each packet."""


def masks(networks: tuple[IPv4Network, ...]) -> Masks:
    return tuple((int(one.netmask), int(one.network_address)) for one in networks)


def destination_of(
    packet: Packet,
    client: BootClient,
    *,
    port: int,
    source: tuple[str, int],
    local: Masks,
    relays: Masks,
    came_by_relay: bool,
) -> tuple[str, int] | str:
    """Where the answer to `packet` goes, or why there is none.

    `port` is where it arrived; `came_by_relay`: the machine's last DISCOVER came through a relay.
    """
    if client.relay:
        if _within(packet.relay, relays):
            return client.relay, SERVER_PORT
        return (
            f"the relay {client.relay} is not among the allowed relays:"
            " allow its network if it is yours"
        )
    if client.message is not _DISCOVER:
        if port == SERVER_PORT:  # an INFORM
            source = client.address, CLIENT_PORT
        return _unicast(source, local + relays, known=came_by_relay)
    if port != SERVER_PORT:
        return f"a DISCOVER does not belong on port {port}"
    return BROADCAST, CLIENT_PORT


def _unicast(source: tuple[str, int], near: Masks, *, known: bool) -> tuple[str, int] | str:
    """Back to a client with an address, if that is in one of our networks."""
    address, port = source
    if port not in _FIRMWARE_PORTS:
        return f"it comes from port {port}, which no firmware uses"
    if not address or address == "0.0.0.0":  # noqa: S104 - a source, nothing is bound
        return BROADCAST, CLIENT_PORT
    if known or _within(from_dotted(address), near):
        return address, port
    return f"{address} is neither in our own network nor in an allowed relay's"


def _within(address: bytes, networks: Masks) -> bool:
    number = int.from_bytes(address, "big")
    for mask, network in networks:  # noqa: SIM110 - a generator costs as much as the whole loop
        if number & mask == network:
            return True
    return False
