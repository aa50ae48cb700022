"""What the boot services tell of their networks."""

import json
from ipaddress import IPv4Network

import pytest

from netboot.boot.network_settings import NetworkSetting
from netboot.boot.networks import Host, HostAddress, place
from netboot.daemons.serving.served_networks import ServedNetworks
from netboot.operations.boots.networks import list_networks
from netboot.serve.dhcp.tally import Tally
from netboot.serve.udp import Loop

HOST = Host(("lo", "eth0"), (HostAddress("eth0", "10.1.0.2", IPv4Network("10.1.0.0/24")),))
WANTED = [NetworkSetting(interface="eth0", response_delay=2), NetworkSetting(interface="eth9")]


class Dhcp:
    """DHCP servers that only open, or say why they cannot."""

    def __init__(self):
        self.tallies, self.notes, self.troubles = {}, {"eth0": ["port 67 is taken"]}, {}

    def apply(self, _networks, *, strict=False):
        assert strict in {False, True}
        return self.troubles


@pytest.fixture
def served(site):
    loop = Loop()
    yield ServedNetworks(site, loop, Dhcp(), None)
    loop.close()


def told(site):
    assert site.journal.flush()
    return {one.name: one for one in list_networks(site)}


def test_each_network_is_told_with_its_state_and_its_rules(site, served):
    assert served.open(place(WANTED, HOST), strict=True)
    networks = told(site)

    assert (networks["eth0"].state, networks["eth0"].address) == ("serves", "10.1.0.2")
    assert (networks["eth0"].response_delay, networks["eth0"].subnets) == (2, ("10.1.0.0/24",))
    assert networks["eth0"].notes == ("port 67 is taken",)
    assert networks["eth9"].reason == "there is no network interface eth9"
    served.close()
    assert [one.state for one in told(site).values()] == ["stopped", "stopped"]


def test_what_was_heard_is_told_when_it_has_changed(site, served):
    """Times are the machine's clock there, and the loop's here."""
    served.open(place(WANTED, HOST), strict=True)
    tally = served._dhcp.tallies["eth0"] = Tally(refused=1, answered=2, last=1.0)
    tally.relayed("10.8.0.1", 1.0)
    for _ in range(3):
        served._tell()
    heard = told(site)["eth0"]

    assert (heard.heard, heard.answered, heard.relays) == (3, 2, ("10.8.0.1",))
    assert heard.last > 1.0
    assert len([one for one in site.journal.latest() if one.event.kind == "NetworksChanged"]) == 2


def test_an_interface_that_cannot_be_served_says_why_and_is_tried_again(site, served):
    served._dhcp.troubles = {"eth0": "UDP port 4011 is taken by dnsmasq (process 8)"}
    assert not served.open(place(WANTED, HOST), strict=False)
    network = told(site)["eth0"]

    assert (network.state, network.reason) == ("waits", served._dhcp.troubles["eth0"])


def test_grub_is_made_for_an_address_that_is_new(site, served, monkeypatch):
    made = []
    monkeypatch.setattr(
        f"{ServedNetworks.__module__}.programs_for",
        lambda _site, to: made.append(list(to)),
    )
    served._networks = place(WANTED, HOST)
    served._make_programs()

    assert json.dumps(made) == '[["10.1.0.2"]]'
