import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from netboot.errors import NotPermitted, OperatorFault
from netboot.protocols.dhcp import Packet
from tests.vm.frames import captured
from vm.machine.plain_pxe import udp_destination
from vm.network import lab_network as module
from vm.network.daemons import wait_until_bound
from vm.network.lab_network import DHCP, SRV, LabNetwork, Slot

SECONDS = 10.0
ROOT = Path(__file__).parents[3]


def output(network, namespace, *argv):
    log = network.work / "output"
    log.unlink(missing_ok=True)
    status = network.spawn_in(namespace, argv, log=log).wait(SECONDS)
    return status, log.read_text()


def test_slots_are_distinct_and_their_leases_reserved():
    """Each of the hundred machines has its own MAC, address and identity."""
    slots = [Slot(number) for number in range(module.STATIC_LEASES)]

    for field in ("mac", "second_mac", "ip", "uuid"):
        assert len(slots) == len({getattr(slot, field) for slot in slots})
    assert [f"{slot.mac},{slot.ip}" for slot in slots] == module.reservations().split()


@pytest.mark.netns
def test_both_namespaces_have_their_address(network):
    """The DHCP server is 10.77.0.1, the boot server 10.77.0.2, each on a card called eth0."""
    for namespace, address in ((DHCP, "10.77.0.1/24"), (SRV, "10.77.0.2/24")):
        status, text = output(network, namespace, "ip", "-4", "-br", "addr", "show", "eth0")
        assert (status, address in text) == (0, True)


@pytest.mark.netns
def test_nothing_of_it_is_on_the_hosts_network(network):
    """No interface of the lab appears outside, and inside there is none of the host's."""
    outside = {path.name for path in Path("/sys/class/net").iterdir()}
    inside = {
        line.split("@")[0].split()[0]
        for line in output(network, SRV, "ip", "-br", "link")[1].splitlines()
    }

    assert not {"vsrv", "vdhcp"} & outside
    assert {"lo", "eth0"} == inside


@pytest.mark.netns
def test_tcp_passes_the_switch_whole(network, tmp_path):
    """A megabyte by HTTP from one namespace to the other arrives as it was (offloads are off)."""
    content = os.urandom(1 << 20)
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "blob").write_bytes(content)
    log = tmp_path / "http.log"
    server = network.spawn_in(
        DHCP,
        [sys.executable, "-u", "-m", "http.server", "8000", "-d", str(tmp_path / "www")],
        log=log,
    )
    wait_until_bound(server, log, tcp=(8000,))

    url = "http://10.77.0.1:8000/blob"
    status, _ = output(network, SRV, "curl", "-sf", "-o", str(tmp_path / "got"), url)

    assert (0, content) == (status, (tmp_path / "got").read_bytes())
    module.stop_process(server)


@pytest.mark.netns
def test_a_machine_is_offered_its_reserved_address(network):
    """The ordinary DHCP server answers a boot ROM, and says nothing of booting."""
    discover = next(f for f in captured("bios-x64-seabios-ipxerom") if udp_destination(f) == 67)
    asked = Packet.from_bytes(discover[42:])
    _, wire = network.switch.plug_pair("rom")
    wire.settimeout(SECONDS)

    wire.send(discover)
    while True:
        frame = wire.recv(65536)
        if udp_destination(frame) == 68:
            break
    offer = Packet.from_bytes(frame[42:])
    wire.close()

    slot = next(s for s in map(Slot, range(100)) if s.mac == asked.mac.hex(":"))
    assert (asked.xid, slot.ip) == (offer.xid, socket.inet_ntoa(offer.your_address))
    assert not {60, 66, 67, 43} & set(offer.options)


@pytest.mark.netns
def test_leaving_ends_everything(tmp_path):
    """Programs inside and the DHCP server are gone afterwards."""
    with LabNetwork(tmp_path) as network:
        sleeper = network.spawn_in(SRV, ["sleep", "300"])
        dhcp = network._dhcp
        module.stop_process(sleeper)

    assert dhcp.poll() is not None
    assert sleeper.poll() == -signal.SIGTERM


@pytest.mark.netns
def test_a_killed_lab_leaves_nothing(network, tmp_path):
    """SIGKILL to the process that made the network ends all its programs."""
    script = (
        "import sys,time; from pathlib import Path; from vm.network.lab_network import LabNetwork\n"
        "with LabNetwork(Path(sys.argv[1])) as lab:\n"
        "    inside = lab.spawn_in('srv', ['sleep', '300'])\n"
        "    print(inside.pid, lab._dhcp.pid, lab._holder.pid, flush=True)\n"
        "    time.sleep(300)\n"
    )
    killed = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "other")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    pids = [int(word) for word in killed.stdout.readline().split()]
    assert all(alive(pid) for pid in pids)

    killed.kill()
    killed.wait(SECONDS)
    killed.stdout.close()

    deadline = time.monotonic() + SECONDS
    while any(alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [pid for pid in pids if alive(pid)] == []


def alive(pid):
    """Whether a process runs; one that nobody has waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.netns
def test_a_dead_dhcp_server_is_noticed(network):
    """A look at the network says which part ended."""
    network.check()
    network._dhcp.kill()
    network._dhcp.wait(SECONDS)

    with pytest.raises(OperatorFault, match="DHCP server ended"):
        network.check()


@pytest.mark.parametrize(
    ("setting", "value", "hint"),
    [
        ("_APPARMOR", "1", "kernel.apparmor_restrict_unprivileged_userns=0"),
        ("_CLONE", "0", "kernel.unprivileged_userns_clone=1"),
        ("_MAXIMUM", "0", "user.max_user_namespaces=10000"),
    ],
)
def test_an_ordinary_user_is_told_which_switch_forbids_it(
    monkeypatch, tmp_path, setting, value, hint
):
    """Ubuntu's AppArmor rule, Debian's old switch, and a limit of zero."""
    monkeypatch.setattr(module.os, "geteuid", lambda: 1000)
    for name in ("_APPARMOR", "_CLONE", "_MAXIMUM"):
        monkeypatch.setattr(module, name, tmp_path / name)
    (tmp_path / setting).write_text(f"{value}\n")

    refusal = module._refused("unshare: Operation not permitted")

    assert isinstance(refusal, NotPermitted)
    assert hint in refusal.hint
    assert "Operation not permitted" in str(refusal)
