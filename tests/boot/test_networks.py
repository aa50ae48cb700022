"""What the settings ask for and what the host has, as networks that are served or awaited."""

from ipaddress import IPv4Network

import pytest

from netboot.boot.network_settings import NetworkSetting
from netboot.boot.networks import (
    Host,
    HostAddress,
    block_sizes,
    listenings,
    network_at,
    place,
    serving_addresses,
    summary,
)

LAN, BRANCH, VLAN = (IPv4Network(f"10.{n}.0.0/24") for n in (1, 2, 3))
HOST = Host(
    ("lo", "eth0", "eth1", "eth0.20"),
    (
        HostAddress("lo", "127.0.0.1", IPv4Network("127.0.0.0/8")),
        HostAddress("eth0", "10.1.0.9", LAN),
        HostAddress("eth0", "192.0.2.9", IPv4Network("192.0.2.0/24")),
        HostAddress("eth0.20", "10.3.0.9", VLAN),
    ),
)


def wanted(*settings):
    return [NetworkSetting(**one) for one in settings]


def placed(*settings):
    return place(wanted(*settings), HOST)


@pytest.mark.parametrize(
    ("setting", "interface", "address", "state"),
    [
        ({"interface": "eth0"}, "eth0", "10.1.0.9", "serves"),
        ({"interface": "eth0.20"}, "eth0.20", "10.3.0.9", "serves"),
        ({"interface": "eth0", "address": "192.0.2.9"}, "eth0", "192.0.2.9", "serves"),
        ({"interface": "eth0", "subnet": "192.0.2.0/24"}, "eth0", "192.0.2.9", "serves"),
        ({"subnet": "10.3.0.0/24"}, "eth0.20", "10.3.0.9", "serves"),
        ({"address": "10.3.0.9"}, "", "10.3.0.9", "serves"),
        ({"interface": "lo", "address": "127.0.0.9"}, "lo", "127.0.0.9", "serves"),
        ({"interface": "eth0", "allowed": False}, "eth0", "10.1.0.9", "not allowed"),
    ],
)
def test_a_network_is_served_at_the_interface_and_address_that_it_names(
    setting, interface, address, state
):
    (network,) = placed(setting)

    assert (interface, address, state) == (network.interface, network.address, network.state)


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ({"interface": "eth7"}, "there is no network interface eth7"),
        ({"interface": "eth1"}, "interface eth1 has no IPv4 address"),
        (
            {"interface": "eth0", "subnet": "10.3.0.0/24"},
            "interface eth0 has no IPv4 address in 10.3.0.0/24",
        ),
        (
            {"interface": "eth0", "address": "10.9.9.9"},
            "this server has no address 10.9.9.9",
        ),
        ({"subnet": "10.2.0.0/24"}, "no interface of this server is in 10.2.0.0/24"),
    ],
)
def test_a_network_that_is_not_there_says_what_it_waits_for(setting, reason):
    (network,) = placed(setting)

    assert (network.state, network.waits) == ("waits", reason)
    assert network.hint.endswith(".")


def test_the_others_are_served_while_one_is_awaited():
    networks = placed({"interface": "eth7"}, {"interface": "eth0"}, {"interface": "eth0.20"})

    assert [one.state for one in networks] == ["waits", "serves", "serves"]
    assert [one.interface for one in listenings(networks)] == ["eth0", "eth0.20"]
    assert serving_addresses(networks) == {"10.1.0.9": "eth0", "10.3.0.9": "eth0.20"}
    assert summary(networks) == "the networks eth0 as 10.1.0.9, eth0.20 as 10.3.0.9"
    assert summary(networks[:2]) == "the network behind eth0 as 10.1.0.9"


def test_a_subnet_of_no_interface_is_behind_relays():
    """It is heard at every interface, and told the address of the one where it comes in."""
    networks = placed({"interface": "eth0"}, {"subnet": "10.2.0.0/24"})

    assert [one.state for one in networks] == ["serves", "behind relays"]
    (listening,) = listenings(networks)
    assert (networks[:1], networks[1:]) == (listening.own, listening.relayed)
    assert serving_addresses(networks) == {"10.1.0.9": "eth0"}


def test_an_address_that_relayed_machines_were_told_is_open_to_every_interface():
    """Their packets may come in elsewhere than those of the address's own network."""
    networks = placed(
        {"interface": "eth0"},
        {"interface": "eth0.20"},
        {"subnet": "10.2.0.0/24", "address": "10.3.0.9"},
    )

    assert serving_addresses(networks) == {"10.1.0.9": "eth0", "10.3.0.9": ""}


def test_another_interface_of_the_same_name_is_another_network():
    """Sockets are bound to its number: those of the one before hear nothing."""
    old, new = (Host(HOST.interfaces, HOST.addresses, tuple(range(n, n + 4))) for n in (1, 2))
    setting = wanted({"interface": "eth0"})

    assert place(setting, old) == place(setting, old)
    assert place(setting, old) != place(setting, new)


def test_one_address_for_two_interfaces_is_open_to_both():
    networks = placed(
        {"interface": "eth0", "address": "192.0.2.9"},
        {"interface": "eth0.20", "address": "192.0.2.9"},
    )

    assert serving_addresses(networks) == {"192.0.2.9": ""}
    found = network_at(networks, "192.0.2.9", "10.3.0.77")
    assert found is not None
    assert found.interface == "eth0.20"


def test_no_file_is_served_at_the_address_of_a_network_that_is_not_allowed():
    """Its requests are heard all the same, so that they can be counted."""
    networks = placed({"interface": "eth0", "allowed": False}, {"interface": "eth0.20"})

    assert serving_addresses(networks) == {"10.3.0.9": "eth0.20"}
    assert [one.interface for one in listenings(networks)] == ["eth0", "eth0.20"]


def test_two_networks_share_an_interface_by_their_addresses():
    networks = placed({"interface": "eth0", "address": "10.1.0.9"}, {"subnet": "192.0.2.0/24"})
    (listening,) = listenings(networks)

    assert [one.address for one in listening.own] == ["10.1.0.9", "192.0.2.9"]


def test_a_network_that_another_one_serves_already_is_named():
    """Only the host shows that these two are one."""
    networks = placed({"interface": "eth0"}, {"subnet": "10.1.0.0/24"})

    assert networks[1].waits == "eth0 as 10.1.0.9 is served already, as the network eth0"


@pytest.mark.parametrize(
    ("ours", "ip", "name"),
    [
        ("10.1.0.9", "10.1.0.77", "eth0"),
        ("10.3.0.9", "10.3.0.77", "eth0.20"),
        ("10.1.0.9", "10.2.0.77", "10.2.0.0/24"),
        ("10.1.0.9", "198.51.100.7", "eth0"),
    ],
)
def test_a_machine_is_in_the_network_of_its_address_else_in_that_of_ours(ours, ip, name):
    networks = placed({"interface": "eth0"}, {"interface": "eth0.20"}, {"subnet": "10.2.0.0/24"})
    found = network_at(networks, ours, ip)

    assert found is not None
    assert name == found.name


def test_the_limit_of_a_network_comes_before_the_usual_one():
    everywhere = IPv4Network("0.0.0.0/0")
    tunnel = IPv4Network("10.1.0.128/25")
    networks = placed(
        {"interface": "eth0", "block_size": 1300},
        {"interface": "eth0.20"},
        {"subnet": "10.2.0.0/24", "block_size": 900},
    )
    usual = ((everywhere, 1400), (tunnel, 800))

    assert dict(block_sizes(networks, "10.1.0.9", usual)) == {
        everywhere: 1300, tunnel: 800, LAN: 1300, IPv4Network("192.0.2.0/24"): 1300, BRANCH: 900,
    }  # fmt: skip
    assert dict(block_sizes(networks, "10.3.0.9", usual)) == {
        everywhere: 1400, tunnel: 800, BRANCH: 900,
    }  # fmt: skip
