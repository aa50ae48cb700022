"""Installed from their own archives, with their own Python and libraries, it does its work.

That systemd starts the services is tried in Debian 12 (tests/install); here nothing runs but what
an administrator calls.
"""

import json
import os
import shutil
import subprocess

import pytest

from netboot.images.architecture import Architecture
from tests.systems.conftest import System
from vm import labpe
from vm.labpe.packages import KEYRING, find_mirror

SYSTEMS = {"debian-13": "3.13", "ubuntu-24.04": "3.12"}
"""And the Python of each."""

NAME = "Lab PE x64"

pytestmark = [
    pytest.mark.timeout(1200),
    pytest.mark.skipif(os.geteuid() != 0, reason="another system's tree needs root"),
]


def sources(name):
    """The release of a system, and where apt finds it with which keys."""
    if name == "debian-13":
        return "trixie", f"deb [signed-by={KEYRING}] {find_mirror()} trixie main"
    mirror = os.environ.get("UBUNTU")
    if not mirror:
        pytest.skip("no mirror of Ubuntu was named: make test-systems UBUNTU=http://…/ubuntu")
    keys = os.environ.get("UBUNTU_KEYRING", "/usr/share/keyrings/ubuntu-archive-keyring.gpg")
    if not os.path.exists(keys):
        pytest.skip(f"{keys} is missing: name Ubuntu's keys by UBUNTU_KEYRING=FILE")
    return "noble", f"deb [signed-by={keys}] {mirror} noble main universe"


@pytest.fixture(scope="module", params=SYSTEMS)
def system(request, package, tmp_path_factory):
    """The tree of a system in which apt has installed the package, and what it must read."""
    release, source = sources(request.param)
    tree = tmp_path_factory.mktemp(request.param) / "tree"
    install = "apt-get -q -y --no-install-recommends install /root/netboot.deb"
    subprocess.run(
        [
            *("mmdebstrap", "--mode=root", "--variant=apt", "--quiet"),
            *('--aptopt=APT::Install-Recommends "false"', "--dpkgopt=force-unsafe-io"),
            f"--customize-hook=upload {package} /root/netboot.deb",
            f'--customize-hook=chroot "$1" env DEBIAN_FRONTEND=noninteractive {install}',
            *(release, tree, source),
        ],
        check=True,
    )
    lab = labpe.ensure()
    shutil.copy(lab.wim[Architecture.X64], tree / "root/boot.wim")
    shutil.copytree(lab.driver_folder("e1000", Architecture.X64), tree / "root/e1000")
    yield request.param, System(tree)
    shutil.rmtree(tree)


def test_it_runs_on_the_python_of_the_system_with_bytecode_of_its_own(system):
    """The package brings bytecode for Debian 12's Python alone; the installation makes the rest."""
    name, made = system
    show = "import sys; print('%d.%d' % sys.version_info[:2], sys.implementation.cache_tag)"
    version, tag = made.must(f'/usr/lib/netboot/bin/python3 -c "{show}"').split()
    assert version == SYSTEMS[name]
    compiled = made.must(f"find /usr/lib/netboot/lib/common/netboot -name 'cli.{tag}.pyc'")
    assert compiled.strip()


def test_an_image_gets_a_driver_and_is_published(system):
    """With the libwim, libhivex and archive tools of that system."""
    _, made = system
    made.must("netboot site create")
    made.must(f"netboot image import /root/boot.wim --name '{NAME}'")
    made.must("netboot driver import /root/e1000 && netboot driver enable e1000")
    made.must(f"netboot image add-driver '{NAME}' e1000 && netboot image build '{NAME}'")
    made.must(f"netboot points update '{NAME}'")
    (row,) = json.loads(made.must("netboot points status --json"))
    assert row["status"] == "CURRENT"
    assert made.must("find /var/lib/netboot ! -user netboot") == ""


def test_a_purge_keeps_the_site(system):
    _, made = system
    made.must("DEBIAN_FRONTEND=noninteractive apt-get -q -y purge netboot")
    assert "site.db" in made.must("ls /var/lib/netboot")
    assert made.sh("ls -d /usr/lib/netboot /usr/bin/netboot").stdout == ""
