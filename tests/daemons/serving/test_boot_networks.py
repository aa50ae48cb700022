"""Several networks at once: real interfaces, VLANs and relays, which come, go and change."""

import json
import sys
import time

import pytest

from netboot.boot.told.events import OfferSent, RequestIgnored, TransferStarted
from netboot.protocols.dhcp import MessageType
from tests.serve.conftest import Firmware
from tests.support.boot_requests import MAC as RAW_MAC
from tests.support.boot_requests import request
from tests.support.content import content_of, serve, version_of
from tests.support.dhcp_servers import wait_for
from tests.support.netlab import Lan, needs_netns

pytestmark = [pytest.mark.netns, needs_netns]

MAC = RAW_MAC.hex(":")
WIM = content_of("boot.wim").decode()


@pytest.fixture
def lan():
    with Lan() as made:
        yield made


@pytest.fixture
def stocked(site):
    serve(site, version_of(site, 1))
    return site


class Served:
    """A host with `netboot boot` and `netboot http`, as their service manager starts them."""

    def __init__(self, site, lan, settings, folder, *addresses):
        (site.data / "netboot.toml").write_text(f"tftp_workers = 2\n{settings}")
        self.site, self.lan, self.folder = site, lan, folder
        self.host = lan.host("srv", *addresses)

    def start(self):
        # A service manager that does not listen: what is missing is waited for.
        netboot = (
            "env", f"NOTIFY_SOCKET={self.folder / 'nobody'}",
            sys.executable, "-m", "netboot", "--data", str(self.site.data),
        )  # fmt: skip
        boot = self.host.start(*netboot, "boot")
        wait_for(boot, "boot.ready")
        wait_for(self.host.start(*netboot, "http"), "http.ready")
        return self

    def state(self, name):
        """The newest state of a network, as the page reads it."""
        assert self.site.journal.flush()
        entry = self.site.journal.latest_networks()
        lines = json.loads(entry.event.networks) if entry else []
        return next((one for one in lines if one["name"] == name), {"state": "unknown"})

    def until(self, name, state):
        """Wait until the network has this state."""
        end = time.monotonic() + 20
        seen = self.site.journal.last_id()
        while (found := self.state(name))["state"] != state:
            assert time.monotonic() < end, found
            self.site.journal.wait_for_change(seen, 1.0)
            seen = self.site.journal.last_id()
        return found


def discover(client, **fields):
    client.send(request(architecture=0, **fields))


def offered(client, **fields):
    """The address of the boot server in an OFFER, and its sender."""
    discover(client, **fields)
    offer, (source, port) = client.receive(20)
    assert (offer.message_type, port) == (MessageType.OFFER, 67)
    return ".".join(map(str, offer.next_server)), source


def loaded(machine, address):
    """What a machine gets by TFTP and by HTTP at this address, and where a script points."""
    path = "v/lab-pe-x64/1/boot.wim"
    script = machine.run("curl", "-s", "-m", "20", f"http://{address}:8081/boot.ipxe?platform=efi")
    return (
        machine.run("curl", "-s", "-m", "20", f"tftp://{address}/{path}"),
        machine.run("curl", "-s", "-m", "20", f"http://{address}:8081/{path}"),
        f"http://{address}:8081/v/lab-pe-x64/1/" in script,
    )


def events(site, kind):
    """Those in the journal, once there is one: other processes write it a moment later."""
    end = time.monotonic() + 20
    while not (found := site.journal.latest_of(kind, limit=50)):
        assert time.monotonic() < end
        site.journal.wait_for_change(site.journal.last_id(), 1.0)
    return [one.event for one in found]


def add_vlan(lan, host, address):
    """VLAN 20 on the host's card; a card of its own where the kernel knows no VLANs."""
    vlan = ("link", "eth0", "name", "eth0.20", "type", "vlan", "id", "20")
    if "Unknown device type" in host.run("ip", "link", "add", *vlan, check=False):
        lan.plug(host, "eth0.20", address, lan="vlan20")
        return
    host.run("ip", "addr", "add", address, "dev", "eth0.20")
    host.run("ip", "link", "set", "eth0.20", "up")


TWO = """
[[networks]]
interface = "eth0"
[[networks]]
interface = "eth1"
[[networks]]
interface = "eth0.20"
[[networks]]
interface = "eth9"
"""


def test_each_network_is_told_its_own_address_and_loads_from_it(stocked, lan, tmp_path):
    """Two cards and a VLAN at once; a fourth network that is not there holds nobody up."""
    served = Served(stocked, lan, TWO, tmp_path, "10.1.0.2/24")
    lan.plug(served.host, "eth1", "10.2.0.2/24", lan="second")
    tagged = lan.host("cli3")
    add_vlan(lan, served.host, "10.3.0.2/24")
    add_vlan(lan, tagged, "10.3.0.50/24")
    tagged.interface = "eth0.20"
    served.start()
    first = lan.host("cli", "10.1.0.50/24")
    second = lan.host("cli2", "10.2.0.50/24", lan="second")

    machines = ((first, "10.1.0.2"), (second, "10.2.0.2"), (tagged, "10.3.0.2"))
    for xid, (machine, address) in enumerate(machines):
        assert (address, address) == offered(Firmware(machine), xid=1 + xid)
        assert loaded(machine, address) == (WIM, WIM, True)
    assert served.state("eth9") | {"notes": []} == {
        "name": "eth9", "interface": "eth9", "address": "", "state": "waits",
        "reason": "there is no network interface eth9", "subnets": [], "notes": [],
        "block_size": 0, "response_delay": 0.0, "only_known": False,
    }  # fmt: skip


BRANCHES = """
relays = ["10.7.0.0/24"]
[[networks]]
interface = "eth0"
[[networks]]
subnet = "10.8.0.0/24"
address = "192.0.2.2"
[[networks]]
subnet = "10.9.0.0/24"
allowed = false
"""


def test_the_relay_decides_which_network_a_request_belongs_to(stocked, lan, tmp_path):
    """One that is not allowed gets silence, which is counted and has its reason."""
    served = Served(stocked, lan, BRANCHES, tmp_path, "10.1.0.2/24", "192.0.2.2/32").start()
    relays = {
        net: lan.host(f"r{net}", f"10.1.0.{net}/24", f"10.{net}.0.1/24") for net in (6, 7, 8, 9)
    }
    found = {}
    for net, relay in relays.items():
        served.host.run("ip", "route", "add", f"10.{net}.0.0/24", "via", f"10.1.0.{net}")
        agent = Firmware(relay, 67)
        packet = request(architecture=0, relay=bytes((10, net, 0, 1)), xid=net)
        agent.send(packet, ("10.1.0.2", 67))
        if net in {7, 8}:
            answer, (source, _) = agent.receive(20)
            found[net] = ".".join(map(str, answer.next_server)), source
        else:
            assert agent.hears_nothing(1)

    assert found == {7: ("10.1.0.2", "10.1.0.2"), 8: ("192.0.2.2", "192.0.2.2")}
    route = ("192.0.2.2/32", "via", "10.1.0.2", "src", "10.8.0.1")
    relays[8].run("ip", "route", "add", *route)
    assert loaded(relays[8], "192.0.2.2") == (WIM, WIM, True)
    reasons = " ".join(one.reason for one in events(stocked, RequestIgnored))
    assert "the relay 10.6.0.1 is not among the allowed relays" in reasons
    assert "machines in this network get no answers: it is not allowed" in reasons


FOLLOWED = """
[[networks]]
interface = "eth0"
[[networks]]
interface = "eth1"
"""


def test_interfaces_that_come_later_and_addresses_that_change_are_followed(stocked, lan, tmp_path):
    """Without a restart; the other network is served meanwhile."""
    served = Served(stocked, lan, FOLLOWED, tmp_path, "10.1.0.2/24").start()
    client = Firmware(lan.host("cli", "10.1.0.50/24"))
    assert offered(client, xid=1) == ("10.1.0.2", "10.1.0.2")
    assert served.state("eth1")["reason"] == "there is no network interface eth1"

    lan.plug(served.host, "eth1", "10.2.0.2/24", lan="second")
    served.until("eth1", "serves")
    machine = lan.host("cli2", "10.2.0.50/24", lan="second")
    late = Firmware(machine)
    assert offered(late, xid=2) == ("10.2.0.2", "10.2.0.2")
    assert loaded(machine, "10.2.0.2") == (WIM, WIM, True)

    served.host.run("ip", "addr", "del", "10.2.0.2/24", "dev", "eth1")
    assert served.until("eth1", "waits")["reason"] == "interface eth1 has no IPv4 address"
    served.host.run("ip", "addr", "add", "10.2.0.3/24", "dev", "eth1")
    served.until("eth1", "serves")
    assert offered(late, xid=3) == ("10.2.0.3", "10.2.0.3")
    assert loaded(machine, "10.2.0.3") == (WIM, WIM, True)
    assert offered(client, xid=4) == ("10.1.0.2", "10.1.0.2")

    served.host.run("ip", "link", "del", "eth1")
    lan.plug(served.host, "eth1", "10.2.0.3/24", lan="second")  # before it may be missed
    end = time.monotonic() + 20
    discover(late, xid=6)
    while late.hears_nothing(1):
        assert time.monotonic() < end
        discover(late, xid=7)
    served.host.run("ip", "link", "del", "eth1")
    assert "there is no network interface" in served.until("eth1", "waits")["reason"]
    assert offered(client, xid=5) == ("10.1.0.2", "10.1.0.2")


RULES = """
[[networks]]
interface = "eth0"
response_delay = 1.5
block_size = 900
[[networks]]
interface = "eth1"
only_known = true
"""


def test_each_network_has_its_own_delay_block_size_and_machines(stocked, lan, tmp_path):
    """The delay is for the OFFER; the machine that asks on port 4011 has chosen us already."""
    stocked.point.publish_policy(lambda: ({}, {MAC: "Lab PE x64"}))
    served = Served(stocked, lan, RULES, tmp_path, "10.1.0.2/24")
    lan.plug(served.host, "eth1", "10.2.0.2/24", lan="second")
    served.start()
    machine, neighbour = lan.host("cli", "10.1.0.50/24"), lan.host("cli2", lan="second")
    client, other = Firmware(machine), Firmware(neighbour)
    discover(client, xid=1)
    began = time.monotonic()
    client.receive(20)
    waited = time.monotonic() - began
    direct = request(message=MessageType.REQUEST, architecture=0, address=bytes((10, 1, 0, 50)))
    client.send(direct, ("10.1.0.2", 4011))
    began = time.monotonic()
    client.receive(20)

    path = "tftp://10.1.0.2/v/lab-pe-x64/1/boot.wim"
    assert machine.run("curl", "-s", "-m", "20", "--tftp-blksize", "1400", path) == WIM
    (transfer,) = events(stocked, TransferStarted)
    assert transfer.block_size == 900
    assert 1.4 < waited < 4
    assert time.monotonic() - began < 1.4
    assert offered(other, xid=2) == ("10.2.0.2", "10.2.0.2")
    discover(other, xid=3, mac=RAW_MAC[:5] + b"\x77")
    assert other.hears_nothing(1)
    (refused,) = events(stocked, RequestIgnored)
    assert "this network answers only known machines" in refused.reason
    strange = "http://10.2.0.2:8081/boot.ipxe?platform=efi&mac=52:54:00:77:00:77"
    neighbour.run("ip", "addr", "add", "10.2.0.50/24", "dev", "eth0")
    assert "only known machines" in neighbour.run("curl", "-s", "-m", "20", strange)
    assert {"10.1.0.50", ""} >= {one.ip for one in events(stocked, OfferSent)}
