"""Which network is served, and what happens when it is not there yet."""

import signal
import socket
import sys

import pytest

from netboot.daemons.starting.network_wait import chosen, find_networks
from netboot.daemons.supervisor import PARENT
from netboot.errors import InvalidInput
from tests.support.netlab import Lan, needs_netns

WAITS = """
import sys
from pathlib import Path
from netboot.daemons.starting.network_wait import find_networks
from netboot.site import Site
for one in find_networks(Site.open(Path(sys.argv[1])), "boot services", (), ""):
    print("found", one, flush=True)
"""


SETTINGS = """
interface = "lo"
address = "127.0.0.9"
[[networks]]
interface = "eth1"
allowed = false
[[networks]]
subnet = "10.8.0.0/16"
"""
BRANCH = "subnet=10.8.0.0/16"


def test_arguments_come_before_settings(site):
    (site.data / "netboot.toml").write_text(SETTINGS)

    def named(*interfaces, address=""):
        return [str(one) for one in chosen(site.settings, interfaces, address)]

    assert named() == ["interface=lo address=127.0.0.9", "interface=eth1 allowed=no", BRANCH]
    assert named("lo", address="127.0.0.1") == ["interface=lo address=127.0.0.1", BRANCH]
    assert named("lo") == ["interface=lo address=127.0.0.9", BRANCH]
    assert named("eth1", "eth2") == ["interface=eth1 allowed=no", "interface=eth2", BRANCH]


def test_networks_that_do_not_go_together_are_an_error(site):
    for interfaces, address in ((("lo", "lo"), ""), (("lo", "eth0"), "127.0.0.1")):
        with pytest.raises(InvalidInput, match=r"two networks lo|one address cannot"):
            chosen(site.settings, interfaces, address)


@pytest.mark.parametrize(("under_others", "served"), [(False, False), (True, True)])
def test_one_of_several_networks_is_enough_except_at_a_terminal(
    site, monkeypatch, under_others, served
):
    """As a part of `netboot run`, which has looked already, it goes on with what is there."""
    monkeypatch.delenv(PARENT, raising=False)
    if under_others:
        monkeypatch.setenv(PARENT, "1")
    names = ("no-such-card", "lo")
    if served:
        assert len(find_networks(site, "boot services", names, "")) == 2
    else:
        with pytest.raises(InvalidInput, match="there is no network interface no-such-card"):
            find_networks(site, "boot services", names, "")


@pytest.mark.parametrize(
    ("interfaces", "address", "said"),
    [
        ((), "", "no network was named"),
        (("no-such-card",), "", "there is no network interface no-such-card"),
        ((), "192.0.2.77", "this server has no address 192.0.2.77"),
    ],
)
def test_at_a_terminal_a_missing_network_is_an_error_at_once(
    site, monkeypatch, interfaces, address, said
):
    monkeypatch.delenv(PARENT, raising=False)
    with pytest.raises(InvalidInput, match=said) as fault:
        find_networks(site, "boot services", interfaces, address)
    assert fault.value.hint


@needs_netns
@pytest.mark.netns
def test_a_service_waits_for_its_setting_its_card_and_its_address(site, tmp_path):
    """As after a power cut, or on a fresh installation; each is in the service's status."""
    with Lan() as lan, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        host = lan.host("srv", "10.1.0.9/24")
        host.run("ip", "link", "del", "eth0")
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(60)
        process = host.start(
            "env", f"NOTIFY_SOCKET={tmp_path / 'notify'}", sys.executable, "-c", WAITS,
            str(site.data),
        )  # fmt: skip
        assert b"READY=1\nSTATUS=waits: no network was named" in manager.recv(999)
        (site.data / "netboot.toml").write_text('interface = "eth7"\n')
        assert b"there is no network interface eth7" in manager.recv(999)
        host.run("ip", "link", "add", "eth7", "type", "veth", "peer", "name", "eth8")
        assert b"interface eth7 has no IPv4 address" in manager.recv(999)
        for end in ("eth7", "eth8"):
            host.run("ip", "link", "set", end, "up")
        host.run("ip", "address", "add", "10.9.0.1/24", "dev", "eth7")
        lines = [line for line in process.stdout if "found interface=eth7" in line]

        assert lines
        assert process.wait(20) == 0


@needs_netns
@pytest.mark.netns
def test_a_service_that_waits_can_be_stopped(site, tmp_path):
    with Lan() as lan, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        host = lan.host("srv", "10.1.0.9/24")
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(60)
        process = host.start(
            "env", f"NOTIFY_SOCKET={tmp_path / 'notify'}",
            *(sys.executable, "-m", "netboot", "--data", str(site.data), "boot"),
        )  # fmt: skip
        manager.recv(999)
        process.send_signal(signal.SIGTERM)

        assert process.wait(20) in {0, -signal.SIGTERM}
