"""A real site on a LAN of its own, and `netboot check` as an administrator runs it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from netboot.diagnose.expectation import site_expectation
from netboot.images.architecture import Architecture
from netboot.images.versions.content_version import ContentVersion, ManifestFile
from netboot.site import Site
from netboot.store.media.boot_programs import prepare_programs
from tests.support.dhcp_servers import ADDRESSES, BARE_DNSMASQ, LEASING, wait_for
from tests.support.netlab import Host, Lan

SERVER = "10.77.0.2"
PROGRAMS = (Path("/usr/lib/ipxe"), Path("/boot"))
DNSMASQ = (*BARE_DNSMASQ, *LEASING)


@dataclass
class BootSite:
    """A site in a folder, whose daemons run on `host`."""

    data: Path
    host: Host
    settings: dict[str, str] = field(default_factory=dict)
    daemons: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def programs(self) -> Path:
        """Where the site's boot programs are named."""
        return self.data / "points" / "site" / "programs.json"

    def publish(self, *architectures: Architecture) -> None:
        """Publish a small image of each architecture, and the boot programs."""
        site = Site.open(self.data)
        images = {}
        for architecture in architectures:
            version = small_version(site, architecture)
            site.point.update(version, site.blobs, now=time.time())
            images[architecture] = version.image
        site.point.publish_policy(lambda: (images, {}))
        prepare_programs(site.point, PROGRAMS, SERVER)

    def write_expected(self, path: Path) -> None:
        """What is published now, for a check from elsewhere."""
        path.write_text(site_expectation(self.data, SERVER).to_json())

    def swap_program(self, name: str, other: str) -> None:
        """Give out another program under this name, as if somebody had altered it."""
        programs = json.loads(self.programs.read_text())
        programs[name] = programs[other]
        self.programs.write_text(json.dumps(programs))

    def drop_program(self, name: str) -> None:
        """Hold a program no more."""
        programs = json.loads(self.programs.read_text())
        del programs[name]
        self.programs.write_text(json.dumps(programs))

    def start(self) -> None:
        """Start the daemons and wait until they serve."""
        lines = [f'{name} = "{value}"' if not value.startswith("[") else f"{name} = {value}"
                 for name, value in self.settings.items()]  # fmt: skip
        (self.data / "netboot.toml").write_text("\n".join(lines) + "\n")
        for part in ("boot", "http"):
            argv = (sys.executable, "-m", "netboot", "--data", str(self.data), part)
            place = ("--interface", "eth0", "--address", SERVER)
            self.daemons.append(self.host.start(*argv, *place))
        wait_for(self.daemons[0], "boot.ready")
        for _ in range(200):
            if "LISTEN" in self.host.run("ss", "-Hltn", "sport = :8081"):
                return
            time.sleep(0.05)
        raise AssertionError("boot HTTP never listened")


def small_version(site: Site, architecture: Architecture) -> ContentVersion:
    """Files that look like an image's from afar."""
    contents = {
        "vmlinuz": b"kernel" * 1000,
        "initrd.gz": b"initrd" * 1000,
        "boot.wim": b"MSWIM\0\0\0" + b"w" * 20_000,
        "boot.wim.cpio": b"070701" + b"c" * 20_000,
    }
    files = []
    for name, data in contents.items():
        blob = site.blobs.add_bytes(data + architecture.encode())
        files.append(ManifestFile(name, blob.digest, blob.size))
    return ContentVersion(
        f"PE {architecture}", 1, architecture, "sha256:0", 0.0, tuple(files), ("linux",)
    )


@dataclass
class Network:
    """A LAN with a site and a client on it."""

    lan: Lan
    site: BootSite
    client: Host
    expected: Path
    rogue: Host | None = None

    def address_server(self, *more: str, host: Host | None = None, pings: bool = False) -> Host:
        """dnsmasq that gives addresses, by default on a host of its own and without pings."""
        host = host or self.lan.host("dhcp", "10.77.0.1/24")
        argv = [word for word in DNSMASQ if not (pings and word == "--no-ping")]
        wait_for(host.start(*argv, ADDRESSES, *more), "DHCP, IP range")
        return host

    def home_made_proxy(self, *services: str) -> None:
        """dnsmasq in proxy mode as the only boot server, where our site would be."""
        folder = self.site.data / "tftp"
        folder.mkdir(exist_ok=True)
        for path in Path("/usr/lib/ipxe").glob("*.*pxe"):
            (folder / path.name).write_bytes(path.read_bytes())
        for path in Path("/usr/lib/ipxe").glob("*.efi"):
            (folder / path.name).write_bytes(path.read_bytes())
        tftp = ("--enable-tftp", f"--tftp-root={folder}")
        argv = (*BARE_DNSMASQ, "--dhcp-leasefile=/dev/null", "--dhcp-range=10.77.0.0,proxy")
        wait_for(self.site.host.start(*argv, *tftp, *services), "DHCP, proxy")

    def check_bare(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """`netboot check --json` that knows nothing of any site."""
        done = subprocess.run(
            ["ip", "netns", "exec", self.client.namespace, sys.executable, "-m",
             "netboot.diagnose", "--interface", "eth0", "--json", "--patience", "0.5", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )  # fmt: skip
        assert done.returncode in {0, 1}, done.stdout + done.stderr
        return done.returncode, json.loads(done.stdout)

    def check_unknown(self, *arguments: str) -> dict[str, Any]:
        """What such a check says."""
        return self.check_bare(*arguments)[1]

    @contextmanager
    def rogue_boot_server(self) -> Iterator[None]:
        """dnsmasq in proxy mode that offers something else, for a while."""
        host = self.rogue or self.lan.host("rogue", "10.77.0.9/24")
        self.rogue = host
        services = ("X86-64_EFI", "x86PC", "IA32_EFI")
        offered = (f"--pxe-service={one},Evil,evil" for one in services)
        program = host.start(*DNSMASQ, "--dhcp-range=10.77.0.0,proxy", *offered)
        wait_for(program, "DHCP, proxy")
        yield
        program.terminate()
        program.wait(5)

    @contextmanager
    def blocked(self, what: str) -> Iterator[None]:
        """A firewall on the server's host drops this for a while."""
        rule = f"chain i {{ type filter hook input priority 0; {what} drop; }};"
        self.site.host.run("nft", f"table inet planted {{ {rule} }}")
        yield
        self.site.host.run("nft", "delete table inet planted")

    def check(self, *arguments: str, host: Host | None = None) -> tuple[int, dict[str, Any]]:
        """`netboot check --json` from the client: its exit code and what it says."""
        done = subprocess.run(
            ["ip", "netns", "exec", (host or self.client).namespace,
             sys.executable, "-m", "netboot.diagnose", "--interface", "eth0", "--json",
             "--expected", str(self.expected), "--patience", "0.5", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env={**os.environ, "NETBOOT_DATA": ""},
        )  # fmt: skip
        assert done.returncode in {0, 1}, done.stdout + done.stderr
        return done.returncode, json.loads(done.stdout)


@contextmanager
def new_network(folder: Path) -> Iterator[Network]:
    """A site in `folder` that holds an x64 image and is not started yet; a client beside it."""
    with Lan() as lan:
        host = lan.host("srv", f"{SERVER}/24")
        site = BootSite(folder / "data", host)
        site.publish(Architecture.X64)
        expected = folder / "expected.json"
        site.write_expected(expected)
        yield Network(lan, site, lan.host("cli", "10.77.0.50/24"), expected)


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Network]:
    """A network without a site of ours, for boot servers of others."""
    with Lan() as lan:
        (data := tmp_path / "data").mkdir()
        site = BootSite(data, lan.host("srv", f"{SERVER}/24"))
        yield Network(lan, site, lan.host("cli", "10.77.0.50/24"), tmp_path / "expected.json")


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    """A network of its own for a test that plants its fault before the site starts."""
    with new_network(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """A network that is well, for tests that plant a fault and take it away again."""
    with new_network(tmp_path_factory.mktemp("served")) as made:
        made.address_server()
        made.site.start()
        yield made
