"""Answers go where their requests may have come from, and nowhere else."""

from ipaddress import IPv4Network

import pytest

from netboot.boot.answer.client import BootClient, identify
from netboot.boot.answer.destination import destination_of, masks
from netboot.protocols.dhcp import MessageType, Packet
from tests.support.boot_requests import request

LOCAL = masks((IPv4Network("10.77.0.0/24"),))
RELAYS = masks((IPv4Network("10.78.0.0/24"),))
HERE, BRANCH, ABROAD = b"\x0a\x4d\0\x63", b"\x0a\x4e\0\1", b"\x08\x08\x08\x08"
INFORM, REQUEST = MessageType.INFORM, MessageType.REQUEST


def destination(
    packet: Packet,
    *,
    port: int = 67,
    source: tuple[str, int] = ("0.0.0.0", 68),
    known: bool = False,
) -> tuple[str, int] | str:
    """Where the answer to this packet goes."""
    client = identify(packet)
    assert isinstance(client, BootClient)
    return destination_of(
        packet, client, port=port, source=source, local=LOCAL, relays=RELAYS, came_by_relay=known
    )


def test_a_client_without_an_address_hears_a_broadcast() -> None:
    """Its DISCOVER, and an ACK on 4011 for whoever has none yet."""
    assert destination(request()) == ("255.255.255.255", 68)
    assert destination(request(message=REQUEST), port=4011) == ("255.255.255.255", 68)


def test_a_relay_is_answered_on_the_server_port_if_it_is_allowed() -> None:
    """A forged giaddr would throw our answer at somebody."""
    assert destination(request(relay=BRANCH)) == ("10.78.0.1", 67)
    refused = destination(request(relay=ABROAD))
    assert refused == (
        "the relay 8.8.8.8 is not among the allowed relays: allow its network if it is yours"
    )


@pytest.mark.parametrize(
    ("source", "known", "where"),
    [
        (("10.77.0.99", 68), False, ("10.77.0.99", 68)),
        (("10.77.0.99", 4011), False, ("10.77.0.99", 4011)),
        (("10.78.0.99", 4011), False, ("10.78.0.99", 4011)),
        (("10.9.0.99", 4011), True, ("10.9.0.99", 4011)),
        (("10.9.0.99", 4011), False,
         "10.9.0.99 is neither in our own network nor in an allowed relay's"),
        (("10.77.0.99", 53), False, "it comes from port 53, which no firmware uses"),
    ],
)  # fmt: skip
def test_a_boot_servers_answer_goes_back_to_who_asked(
    source: tuple[str, int], *, known: bool, where: tuple[str, int] | str
) -> None:
    """From our own network, a relay's, or known by a relay; from a port that firmware uses."""
    packet = request(message=REQUEST, address=HERE)

    assert destination(packet, port=4011, source=source, known=known) == where


def test_an_inform_is_answered_at_the_address_that_it_names() -> None:
    """Not at its source, on the client port."""
    packet = request(message=INFORM, address=HERE)

    assert destination(packet, source=("10.77.0.5", 9999)) == ("10.77.0.99", 68)


def test_a_discover_on_another_port_is_ignored() -> None:
    """Only REQUESTs belong on 4011."""
    assert destination(request(), port=4011) == "a DISCOVER does not belong on port 4011"
