"""A boot test on a site that serves a real network: in a network of its own, next to that one."""

import sys

import pytest

from netboot.operations import lab
from netboot.operations.boots import network
from netboot.site import LabSite, Site
from netboot.store.media.boot_programs import made_for
from tests.support.dhcp_servers import wait_for
from tests.support.netlab import Lan, needs_netns
from vm.network.holder import _packet_socket
from vm.network.lab_network import SERVER_ADDRESS

pytestmark = [pytest.mark.vm, pytest.mark.netns, needs_netns, pytest.mark.timeout(600)]

ADDRESS = "10.99.0.1"
REQUEST = {"firmware": "bios-x64", "nic": "e1000", "memory": 512, "id": "1", "image": "Lab PE x64"}
MACHINES = bytes.fromhex("52540077")
"""How the hardware address of each machine of the lab begins."""


@pytest.fixture
def served(data_with_images, tmp_path):
    """A site whose services serve a LAN, and a socket that hears all that is sent there."""
    site = Site.open(data_with_images(tmp_path))
    netboot = (sys.executable, "-m", "netboot", "--data", str(site.data))
    place = ("--interface", "eth0", "--address", ADDRESS)
    with Lan() as lan:
        server, listener = lan.host("srv", f"{ADDRESS}/24"), lan.host("cli")
        heard = listener.inside(lambda: _packet_socket("eth0"))
        wait_for(server.start(*netboot, "boot", *place), "boot.ready")
        wait_for(server.start(*netboot, "http", *place), "http.ready")
        door = server.start(*netboot, "lab")
        while not (site.data / lab.SOCKET).exists():
            assert door.poll() is None, door.stdout.read()
        with heard:
            yield site, heard
    site.journal.close()


def frames(heard):
    """All frames that have arrived."""
    heard.setblocking(False)  # noqa: FBT003
    while True:
        try:
            yield heard.recv(65536)
        except BlockingIOError:
            return


def test_a_machine_boots_online_and_the_real_network_hears_nothing_of_it(served):
    """From the versions that the site serves, by boot services of the lab's own."""
    site, heard = served
    view = lab.lab_status(site)
    assert (view.available, view.is_the_network) == (True, False)
    events = list(lab.boot_machine(site, REQUEST))

    assert events[-1]["event"] == "done", events[-1]
    assert (events[-1]["result"], events[-1]["image"]) == ("online", "Lab PE x64")
    assert not [frame for frame in frames(heard) if MACHINES in frame]
    assert network.serving(site).address == ADDRESS
    assert made_for(site.point) == (ADDRESS,)
    assert made_for(LabSite(site.data).point) == (SERVER_ADDRESS,)
