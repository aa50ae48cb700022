"""Beside real DHCP servers of three makes, on another host and on our own."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from netboot.boot.answer.dhcp_on_host import option_60_lines
from netboot.protocols.dhcp import MessageType
from tests.serve.conftest import Firmware, running_dhcpd
from tests.support.boot_requests import request
from tests.support.dhcp_servers import START
from tests.support.netlab import Lan, needs_netns

pytestmark = [pytest.mark.netns, needs_netns]

MAKES = sorted(START)
CLIENTS = {
    "udhcpc": ("udhcpc", "-i", "eth0", "-n", "-q", "-f", "-t", "8", "-T", "1", "-s", "/bin/true"),
    "dhclient": ("dhclient", "-v", "-1", "-sf", "/bin/true", "-pf", "/dev/null",
                 "-lf", "/dev/null", "eth0"),
}  # fmt: skip


@pytest.fixture
def lan() -> Iterator[Lan]:
    """A LAN with nothing on it."""
    with Lan() as made:
        yield made


@pytest.mark.parametrize("make", MAKES)
@pytest.mark.parametrize("client", CLIENTS)
def test_ordinary_clients_keep_getting_their_leases(
    lan: Lan, tmp_path: Path, make: str, client: str
) -> None:
    """We are there and say nothing."""
    START[make](lan.host("dhcp", "10.77.0.1/24"), tmp_path, "")
    server, machine = lan.host("srv", "10.77.0.2/24"), lan.host("cli")
    with running_dhcpd(server) as daemon:
        said = machine.run(*CLIENTS[client])

        assert re.search(r"(lease of|bound to) 10\.77\.0\.1", said), said
        assert daemon.events.empty()
    assert daemon.server.counts["answered"] == 0


@pytest.mark.parametrize("make", MAKES)
def test_a_pxe_client_hears_both_offers(lan: Lan, tmp_path: Path, make: str) -> None:
    """An address from the one, a file from the other."""
    START[make](lan.host("dhcp", "10.77.0.1/24"), tmp_path, "")
    server, rom = lan.host("srv", "10.77.0.2/24"), Firmware(lan.host("cli"))
    with running_dhcpd(server):
        rom.send(request())
        offers = {source[0]: packet for packet, source in (rom.receive(), rom.receive())}

    assert offers["10.77.0.1"].your_address[:3] == b"\x0a\x4d\0"
    assert offers["10.77.0.2"].boot_file == b"snponly.efi"


@pytest.mark.parametrize("make", MAKES)
def test_with_the_lines_that_we_name_a_server_on_our_host_sends_clients_to_4011(
    lan: Lan, tmp_path: Path, make: str
) -> None:
    """Its own OFFER says PXEClient, and who asks for a boot server finds us."""
    host = lan.host("srv", "10.77.0.2/24")
    START[make](host, tmp_path, option_60_lines(make))
    rom = Firmware(lan.host("cli", "10.77.0.99/24"))
    with running_dhcpd(host) as daemon:
        assert daemon.server.ports == (4011,)
        rom.send(request())
        offer, _ = rom.receive()
        rom.send(
            request(message=MessageType.REQUEST, address=b"\x0a\x4d\0\x63"), ("10.77.0.2", 4011)
        )
        ack, _ = rom.receive()

    assert (offer.options[60], offer.options[54]) == (b"PXEClient", b"\x0a\x4d\0\2")
    assert offer.your_address[:3] == b"\x0a\x4d\0"
    assert ack.boot_file == b"snponly.efi"


@pytest.mark.parametrize("make", MAKES)
def test_a_server_on_our_host_is_told_by_name_which_lines_it_needs(
    lan: Lan, tmp_path: Path, make: str
) -> None:
    """In a process of its own, as in life: who holds a port is read from /proc."""
    host = lan.host("srv", "10.77.0.2/24")
    START[make](host, tmp_path, "")
    said = host.run(sys.executable, "-c", OPEN_AND_TELL)

    assert f"UDP port 67 is taken by {make} (process " in said
    assert option_60_lines(make) in said


OPEN_AND_TELL = """
from netboot.serve.dhcp.dhcpd import DhcpServer
from netboot.serve.udp import Loop
from netboot.boot.answer.proxy_dhcp import ProxyDhcp
from tests.support.boot_requests import BOTH, SETTINGS
server = DhcpServer(loop=Loop(), interface="eth0",
                    proxy=ProxyDhcp(SETTINGS, lambda: BOTH), emit=print, learn=print)
print(*server.notes)
"""
