"""Real machines (QEMU) on LANs of our own: a site with two images, any DHCP server, a relay."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from socket import socket

import pytest

from netboot.images.architecture import Architecture
from netboot.operations.drivers import importing as driver_import
from netboot.operations.images import images
from netboot.operations.points import points
from netboot.operations.versions import versions
from netboot.site import Site
from netboot.store.media.boot_programs import prepare_programs
from tests.support.dhcp_servers import START, wait_for
from tests.support.netlab import Host, Lan
from vm.labpe import LabPe, image_name
from vm.network.holder import _offloads_off, _packet_socket
from vm.network.lab_network import LabNetwork
from vm.network.switch import Hook, Port, Switch, keep

SERVER = "10.77.0.2"
X64, X86 = Architecture.X64, Architecture.X86
PACKAGES = ("netkvm", "e1000")


class Wires:
    """The switch that joins virtual machines to a LAN, in place of the lab's network."""

    def __init__(self, uplink: Host, capture: Path) -> None:
        self.switch = Switch(capture=capture)
        uplink.run("ip", "link", "set", "eth0", "promisc", "on")
        self.switch.plug("lan", uplink.inside(lambda: _packet_socket("eth0")))
        self.switch.start()

    def plug_machine(self, name: str, *, hook: Hook = keep) -> tuple[Port, socket]:
        """A port for a virtual machine, and the end that QEMU gets."""
        return self.switch.plug_pair(name, hook=hook)


def announce(host: Host, interface: str) -> None:
    """Router advertisements: where there are none, Debian's iPXE waits 15 seconds for one."""
    argv = ("dnsmasq", "-d", "--conf-file=/dev/null", "--port=0", "--bind-interfaces",
            f"--interface={interface}", "--except-interface=lo", "--enable-ra",
            "--dhcp-range=fd77::,ra-only", f"--ra-param={interface},0,0", "--pid-file=",
            "--dhcp-leasefile=/dev/null", "--user=root")  # fmt: skip
    host.run("ip", "addr", "add", "fd77::1/64", "dev", interface, "nodad")
    wait_for(host.start(*argv), "router advertisement on")


@dataclass
class BootLan:
    """A LAN with the boot server on it, and a branch behind a router."""

    lan: Lan
    site: Site
    work: Path
    relays: str = "[]"
    hosts: dict[str, Host] = field(default_factory=dict)

    @property
    def server(self) -> Host:
        """The boot server's host."""
        return self.hosts["srv"]

    def host(self, name: str, *addresses: str, lan: str = "lan") -> Host:
        """A host whose frames may leave the kernel: no unfinished checksums."""
        made = self.lan.host(name, *addresses, lan=lan)
        made.inside(lambda: _offloads_off(made.interface))
        self.hosts[name] = made
        return made

    def give_addresses(self, make: str, *, host: Host | None = None, lines: str = "") -> None:
        """Start a DHCP server of this make, by default on a host of its own."""
        host = host or self.host("dhcp", "10.77.0.1/24")
        START[make](host, self.work, lines)
        announce(host, "eth0")

    def add_branch(self, *servers: str) -> None:
        """A router with ISC dhcrelay between us and `branch`; it relays to `servers`."""
        router = self.host("router", "10.77.0.254/24")
        self.lan.plug(router, "eth1", "10.78.0.1/24", lan="branch")
        router.inside(lambda: _offloads_off("eth1"))
        router.run("sysctl", "-w", "net.ipv4.ip_forward=1")
        for host in (self.hosts["dhcp"], self.server):
            host.run("ip", "route", "add", "10.78.0.0/24", "via", "10.77.0.254")
        announce(router, "eth1")
        relay = router.start("dhcrelay", "-4", "-d", "-i", "eth0", "-i", "eth1", *servers)
        wait_for(relay, "Sending on   Socket")

    def serve(self) -> None:
        """Start the boot daemons."""
        (self.site.data / "netboot.toml").write_text(f"relays = {self.relays}\n")
        netboot = (sys.executable, "-m", "netboot", "--data", str(self.site.data))
        place = ("--interface", "eth0", "--address", SERVER)
        wait_for(self.server.start(*netboot, "boot", *place), "boot.ready")
        http = self.server.start(*netboot, "http", *place)
        while "LISTEN" not in self.server.run("ss", "-Hltn", "sport = :8081"):
            assert http.poll() is None

    @contextmanager
    def wires(self, lan: str = "lan") -> Iterator[LabNetwork]:
        """Plugs for virtual machines on `lan`."""
        wires = Wires(self.host(f"vm{lan}", lan=lan), self.work / f"{lan}.pcap")
        try:
            yield wires  # type: ignore[misc]  # all that a machine asks of its network
        finally:
            wires.switch.close()


@pytest.fixture(scope="session")
def data_with_images(
    lab: LabPe, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Path], Path]:
    """Copies a site whose default images hold the driver of virtio cards and e1000.

    Made by the operations that the commands call, and built once: how an image comes to its
    drivers is proved elsewhere.
    """
    template = tmp_path_factory.mktemp("images") / "data"
    site = Site.open(template)
    for architecture in (X64, X86):
        name = image_name(architecture)
        wim = lab.wim[architecture]
        images.import_image(site, wim, name=name, architecture=architecture, is_lab=True)
        for package in PACKAGES:
            driver_import.import_drivers(site, lab.driver_folder(package, architecture))
        images.add_drivers(site, name, PACKAGES, enable=True)
        versions.build_version(site, name)
        points.update_distribution_points(site, name)
    prepare_programs(site.point, [Path("/usr/lib/ipxe")], SERVER)
    site.database.close()
    site.journal.close()

    def copy(folder: Path) -> Path:
        target = folder / "data"
        subprocess.run(["cp", "-a", "--reflink=auto", template, target], check=True)
        return target

    return copy


@pytest.fixture
def boot_lan(data_with_images: Callable[[Path], Path], tmp_path: Path) -> Iterator[BootLan]:
    """A LAN with a boot server that is not started yet."""
    site = Site.open(data_with_images(tmp_path))
    with Lan() as lan:
        made = BootLan(lan, site, tmp_path)
        made.host("srv", f"{SERVER}/24")
        yield made
    site.journal.close()
