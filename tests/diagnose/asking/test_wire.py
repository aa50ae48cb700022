"""The wire of a check, on a LAN of its own."""

from collections.abc import Iterator

import pytest
from scapy.layers.dhcp import BOOTP

from netboot.diagnose.asking.firmware import KINDS, Machine
from netboot.diagnose.asking.wire import Wire
from netboot.serve.udp import open_udp
from tests.serve.conftest import running_dhcpd
from tests.support.netlab import Lan, needs_netns

pytestmark = [pytest.mark.netns, needs_netns]


@pytest.fixture
def lan() -> Iterator[Lan]:
    """A LAN with nothing on it."""
    with Lan() as made:
        yield made


def test_every_broadcast_is_answered_for_itself(lan: Lan) -> None:
    """Answers are told apart by their transaction."""
    server, client = lan.host("srv", "10.77.0.2/24"), lan.host("cli", "10.77.0.50/24")
    machines = [Machine.new(kind) for kind in KINDS if kind.runs != "arm64"]
    with running_dhcpd(server), client.inside(lambda: Wire("eth0", "10.77.0.50")) as wire:
        heard = wire.ask_as_firmware(machines, [1.0], lambda _: [])

    assert {one.xid for one in heard} == {one.xid for one in machines}
    assert {one.source for one in heard} == {"10.77.0.2"}


def test_port_4011_is_asked_alone(lan: Lan) -> None:
    """One answer is enough, and none is none."""
    server, client = lan.host("srv", "10.77.0.2/24"), lan.host("cli", "10.77.0.50/24")
    machine = Machine.new(KINDS[1])
    asked = machine.boot_request("10.77.0.50")
    with client.inside(lambda: Wire("eth0", "10.77.0.50")) as wire:
        assert wire.ask_boot_server(asked, "10.77.0.2", machine.xid, 0.3) == []
        with running_dhcpd(server):
            (reply,) = wire.ask_boot_server(asked, "10.77.0.2", machine.xid, 5.0)

    assert (reply.via_port, reply.file) == (4011, "snponly.efi")


def test_a_relay_is_answered_or_not(lan: Lan) -> None:
    """The test settings allow relays in 10.78.0.0/24 only."""
    server = lan.host("srv", "10.77.0.2/24", "10.78.0.2/24")
    client = lan.host("cli", "10.77.0.50/24", "10.78.0.50/24")
    allowed, denied = Machine.new(KINDS[1]), Machine.new(KINDS[1])
    with running_dhcpd(server), client.inside(lambda: Wire("eth0", "10.78.0.50")) as wire:
        assert wire.can_relay
        assert wire.ask_as_relay(
            allowed.relayed_discover("10.78.0.50"), "10.77.0.2", allowed.xid, 5.0
        )
        assert not wire.ask_as_relay(
            denied.relayed_discover("10.77.0.50"), "10.77.0.2", denied.xid, 0.3
        )


@pytest.mark.parametrize("where", ["cli", "srv"])
def test_beside_a_dhcp_client_the_check_hears_and_is_heard(lan: Lan, where: str) -> None:
    """The client port is taken; on the server's own host as well as elsewhere."""
    hosts = {"srv": lan.host("srv", "10.77.0.2/24"), "cli": lan.host("cli", "10.77.0.50/24")}
    host, address = hosts[where], {"srv": "10.77.0.2", "cli": "10.77.0.50"}[where]
    machine = Machine.new(KINDS[1])
    with (
        running_dhcpd(hosts["srv"]),
        host.inside(lambda: open_udp("", 68)),
        host.inside(lambda: Wire("eth0", address)) as wire,
    ):
        assert wire.beside_client
        heard = wire.ask_as_firmware(
            [machine],
            [5.0],
            lambda heard: [] if any(reply.is_boot for reply in heard) else [machine],
            at_once=True,
        )
        (ack,) = wire.ask_boot_server(machine.boot_request(address), "10.77.0.2", machine.xid, 5.0)

    assert heard[-1].file == ack.file == "snponly.efi"
    assert 0 < heard[-1].after < 5


def test_a_machine_that_gets_no_offer_asks_again_and_says_since_when(lan: Lan) -> None:
    """Some servers answer only a machine that has been asking for a while."""
    server, client = lan.host("srv", "10.77.0.2/24"), lan.host("cli", "10.77.0.50/24")
    machine = Machine.new(KINDS[1])
    with server.inside(lambda: open_udp("", 67)) as deaf:
        with client.inside(lambda: Wire("eth0", "10.77.0.50")) as wire:
            heard = wire.ask_as_firmware([machine], [1.1, 0.2, 0.2], lambda _: [machine])
        asked = [BOOTP(deaf.recv(4096)) for _ in range(3)]

    assert heard == []
    assert [packet.secs for packet in asked] == [0, 1, 1]
    assert {packet.xid for packet in asked} == {machine.xid}


def test_a_machine_without_hope_does_not_ask_again(lan: Lan) -> None:
    server, client = lan.host("srv", "10.77.0.2/24"), lan.host("cli", "10.77.0.50/24")
    hopeless, hopeful = Machine.new(KINDS[1]), Machine.new(KINDS[0])
    with server.inside(lambda: open_udp("", 67)) as deaf:
        with client.inside(lambda: Wire("eth0", "10.77.0.50")) as wire:
            wire.ask_as_firmware(
                [hopeless, hopeful],
                [0.2, 0.2],
                lambda _: [hopeless, hopeful],
                hopeless=lambda one: one is hopeless,
            )
        asked = [BOOTP(deaf.recv(4096)).xid for _ in range(3)]

    assert asked == [hopeless.xid, hopeful.xid, hopeful.xid]


def test_a_server_without_a_way_to_it_is_silent(lan: Lan) -> None:
    client = lan.host("cli", "10.77.0.50/24")
    machine = Machine.new(KINDS[1])
    with client.inside(lambda: Wire("eth0", "10.77.0.50")) as wire:
        asked = machine.boot_request("10.77.0.50")

        assert wire.ask_boot_server(asked, "192.0.2.1", machine.xid, 0.3) == []
