"""The package in a Debian 12 of its own, and machines that boot from it: `make test-install`."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from netboot import __version__
from netboot.images.architecture import Architecture
from tests.install.debian_root import server_disk
from tests.install.server_machine import ServerMachine
from tests.packaging.built import built_package
from tests.samples.older_sites import make_older_site
from tests.support.kept_sites import close
from vm import labpe
from vm.network.lab_network import LabNetwork

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "tests" / "output"

# Minutes of emulated Debian: only where asked for.
collect_ignore_glob = [] if os.environ.get("INSTALL") else ["test_*.py"]


@pytest.fixture(scope="session")
def package():
    return built_package()


@pytest.fixture(scope="session")
def network(tmp_path_factory):
    """The lab's network, with its ordinary DHCP server."""
    with LabNetwork(tmp_path_factory.mktemp("network")) as made:
        yield made


@pytest.fixture(scope="session")
def server(package, network, tmp_path_factory):
    """Debian 12 with the package installed, without any network to fetch from."""
    lab = labpe.ensure()
    share = tmp_path_factory.mktemp("share")
    shutil.copy(package, share / "netboot.deb")
    older(package, share / "older.deb", tmp_path_factory.mktemp("older"))
    close(make_older_site(share / "older-site"))
    shutil.copy(lab.wim[Architecture.X64], share / "boot.wim")
    shutil.copytree(lab.driver_folder("e1000", Architecture.X64), share / "e1000")
    work = tmp_path_factory.mktemp("server")
    with ServerMachine(work, server_disk(), network, share) as machine:
        machine.must("mkdir -p /mnt/s && mount -o ro /dev/vdb /mnt/s && cp -r /mnt/s/* /root/")
        machine.must("chmod -R go= /root/boot.wim /root/e1000")
        machine.installed = machine.sh(f"{APT} install /root/netboot.deb", seconds=600)
        assert machine.installed.code == 0, machine.installed.text
        yield machine


def older(package, out, work):
    """The same package with a lower version number; apt upgrades from it."""
    tree = work / "tree"
    subprocess.run(["dpkg-deb", "-R", package, tree], check=True)
    source = tree / "usr/lib/netboot/lib/common/netboot/__init__.py"
    for path in (source, tree / "DEBIAN/control"):
        path.write_text(path.read_text().replace(__version__, OLDER))
    for compiled in (source.parent / "__pycache__").glob("__init__.*.pyc"):
        compiled.unlink()  # it is used without a look at the source
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "-b", tree, out], check=True)


OLDER = "0.1.9"
APT = "DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 --no-install-recommends"


def pytest_terminal_summary(terminalreporter):
    """The closing line, which says how many of these tests passed."""
    counts = {
        word: len([one for one in terminalreporter.stats.get(word, ()) if one.when == "call"])
        for word in ("passed", "failed")
    }
    failed = counts["failed"] + len(terminalreporter.stats.get("error", ()))
    OUTPUT.mkdir(exist_ok=True)
    (OUTPUT / "install.txt").write_text(f"install: {counts['passed']} passed, {failed} failed\n")
