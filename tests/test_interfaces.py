from ipaddress import IPv4Network

import pytest

from netboot.errors import InvalidInput
from netboot.interfaces import ipv4_addresses, network_of
from tests.support.netlab import Lan, needs_netns

LOOPBACK = IPv4Network("127.0.0.0/8")


def test_this_machine_is_on_its_own_loopback():
    """The interface `lo` has 127.0.0.1, and that lies in 127.0.0.0/8."""
    assert ipv4_addresses("lo")[0] == "127.0.0.1"
    assert network_of("127.0.0.1") == [LOOPBACK]


def test_an_interface_that_is_not_there_is_answered_with_those_that_are():
    """A typing error is mended by reading the hint."""
    with pytest.raises(InvalidInput, match="no network interface eth99") as refusal:
        ipv4_addresses("eth99")
    assert "lo" in refusal.value.hint


def test_an_address_of_somebody_else_is_in_no_network_of_ours():
    """Then no client counts as local."""
    assert network_of("192.0.2.77") == []


@needs_netns
@pytest.mark.netns
def test_an_interface_may_have_several_addresses_each_with_its_own_network():
    """A second address counts as much as the first, and one network is not taken for another."""
    with Lan() as lan:
        host = lan.host("srv", "10.1.0.1/16", "10.2.3.4/24", "10.1.7.7/16")
        many = host.inside(lambda: ipv4_addresses("eth0"))
        nets = host.inside(lambda: [network_of(address) for address in many])
        unlike = host.inside(lambda: network_of("10.2.3.5"))

    assert {"10.1.0.1", "10.2.3.4", "10.1.7.7"} == set(many)
    assert many[0] == "10.1.0.1"
    known = dict(zip(many, nets, strict=True))
    assert [IPv4Network("10.1.0.0/16")] == known["10.1.0.1"] == known["10.1.7.7"]
    assert [IPv4Network("10.2.3.0/24")] == known["10.2.3.4"]
    assert unlike == []


@needs_netns
@pytest.mark.netns
def test_an_interface_without_an_address_is_told():
    """Machines could not load anything from there."""
    with Lan() as lan:
        host = lan.host("srv")

        def ask():
            with pytest.raises(InvalidInput, match="eth0 has no IPv4 address") as refusal:
                ipv4_addresses("eth0")
            return refusal.value.hint

        assert "assign one first" in host.inside(ask)


@needs_netns
@pytest.mark.netns
def test_more_addresses_than_usual_are_all_found():
    """A hundred of them, more than one question to the system has room for."""
    with Lan() as lan:
        host = lan.host("srv", *(f"10.9.{number}.1/24" for number in range(100)))

        assert len(host.inside(lambda: ipv4_addresses("eth0"))) == 100
