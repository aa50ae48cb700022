"""Replies of servers are read with scapy, whatever they are."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netboot.diagnose.asking.answers import Reply, read_reply
from netboot.protocols.dhcp import Packet
from tests.captures import reader
from tests.support.boot_requests import request


def replies(name: str) -> list[Reply]:
    """All replies in a capture."""
    found = [read_reply(one.payload, *one.source) for one in reader.dhcp(name)]
    return [one for one in found if one is not None]


def test_an_address_and_a_boot_file_are_told_apart() -> None:
    """A recorded boot beside dnsmasq."""
    address, boot = replies("uefi64-edk2-native-snponly")[:2]

    assert (address.gives_address, address.is_boot) == (True, False)
    assert (address.server, address.offered) == ("10.77.0.1", "10.77.0.199")
    assert (boot.gives_address, boot.is_boot) == (False, True)
    assert (boot.boot_server, boot.file) == ("10.77.0.2", "snponly.efi")
    assert not boot.skips_discovery


def test_a_boot_server_that_wants_to_be_asked_names_no_file() -> None:
    """dnsmasq's proxy and UEFI; its answer on 4011 repeats the address and gives none."""
    offer, _, _, ack = replies("uefi64-edk2-native-dnsmasq-proxy")[:4]

    assert (offer.is_boot, offer.file, offer.boot_server) == (True, "", "10.77.0.2")
    assert (ack.via_port, ack.file, ack.gives_address) == (4011, "nbp.efi", False)


def test_skipping_discovery_is_seen_in_option_43() -> None:
    """06 01 08."""
    packet = request()._replace(op=2, options={53: b"\2", 60: b"PXEClient", 43: b"\6\1\x08\xff"})
    reply = read_reply(bytes(packet), "10.0.0.1", 67)

    assert reply is not None
    assert reply.skips_discovery
    assert reply.server == "10.0.0.1"


@pytest.mark.parametrize("data", [b"", b"junk", bytes(300), bytes(request())])
def test_what_is_no_reply_is_nothing(data: bytes) -> None:
    assert read_reply(data, "10.0.0.1", 67) is None


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_no_bytes_upset_the_reader(data: bytes) -> None:
    """Who answers a check may be hostile."""
    packet = bytes(Packet(op=2, xid=1, mac=bytes(6), options={53: b"\2"}))[:243]
    reply = read_reply(packet + data, "10.0.0.1", 67)

    assert reply is None or reply.source == "10.0.0.1"
