"""Each request is answered by the rules of the network that it belongs to."""

from ipaddress import IPv4Network

import pytest

from netboot.boot.answer.limits import RecentClients
from netboot.boot.answer.proxy_dhcp import Answer, ProxyDhcp, Settings
from netboot.boot.answer.several_networks import SeveralNetworks
from netboot.protocols.dhcp import MessageType, Packet
from tests.support.boot_requests import BOTH, request

LAN, OTHER, BRANCH, CLOSED, ALLOWED = (IPv4Network(f"10.{n}.0.0/24") for n in (1, 2, 8, 9, 7))


def rules(name, address, *, networks=(), relays=(), **more):
    settings = Settings(name=name, server=address, networks=networks, relays=relays, **more)
    return ProxyDhcp(settings, lambda: BOTH, recent=RecentClients())


@pytest.fixture
def several():
    own = [
        rules("lan", "10.1.0.2", networks=(LAN,), relays=(ALLOWED,)),
        rules("other", "10.2.0.2", networks=(OTHER,), relays=(ALLOWED,)),
    ]
    relayed = [
        rules("branch", "192.0.2.2", networks=(BRANCH,), relays=(BRANCH,)),
        rules("closed", "10.1.0.2", networks=(CLOSED,), relays=(CLOSED,), allowed=False),
    ]
    return SeveralNetworks(own, relayed)


def dotted(text):
    return bytes(map(int, text.split(".")))


def asked(several, packet, source="0.0.0.0", port=67):
    """The network's name, and our address in the answer or why there is none."""
    outcome, _, settings = several.receive(bytes(packet), port, (source, 68), 1.0)
    if not isinstance(outcome, Answer):
        return settings.name, outcome.reason
    return settings.name, ".".join(map(str, Packet.from_bytes(outcome.payload).next_server))


@pytest.mark.parametrize(
    ("relay", "expected"),
    [
        ("0.0.0.0", ("lan", "10.1.0.2")),
        ("10.8.0.1", ("branch", "192.0.2.2")),
        ("10.7.0.1", ("lan", "10.1.0.2")),
    ],
)
def test_a_discover_belongs_to_the_network_of_its_relay_else_to_the_first(several, relay, expected):
    assert expected == asked(several, request(relay=dotted(relay)))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("10.1.0.77", ("lan", "10.1.0.2")),
        ("10.2.0.77", ("other", "10.2.0.2")),
        ("10.8.0.77", ("branch", "192.0.2.2")),
        ("0.0.0.0", ("lan", "10.1.0.2")),
    ],
)
def test_a_machine_with_an_address_belongs_to_the_network_of_that(several, source, expected):
    """Whether it stands in the packet or only in the header."""
    for inside in ("0.0.0.0", source):
        packet = request(message=MessageType.REQUEST, address=dotted(inside), xid=len(inside))
        assert expected == asked(several, packet, source, port=4011)


def test_a_network_that_is_not_allowed_keeps_silent_and_says_why(several):
    name, reason = asked(several, request(relay=dotted("10.9.0.1")))

    assert name == "closed"
    assert "not allowed in the settings" in reason


def test_what_is_no_packet_belongs_to_the_first_network(several):
    outcome, packet, settings = several.receive(b"default send string", 67, ("1.2.3.4", 9), 1.0)

    assert (packet, settings.name, outcome.malformed) == (None, "lan", True)
    assert not several.knows(b"\2\0\0\0\0\1")
    assert several.overhear(b"no packet", source="10.1.0.1", now=1.0) is None
