"""The image as an administrator starts it: netboot for the network of its host."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.container.conftest import ROOT
from tests.support.dhcp_servers import wait_for
from tests.support.netlab import Lan, needs_netns

ADDRESS = "10.77.0.2"
SET_UP = ("SETUID", "SETGID")
NETWORK = ("NET_BIND_SERVICE", "NET_RAW")
DEFAULTS = (
    *("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "SETFCAP"),
    *("SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
)
"""What a container has if nothing is said; buildah's `--cap-drop all` drops what is added, too."""

BITS = 1 << 10 | 1 << 13


@pytest.fixture
def lan():
    with Lan() as made:
        yield made


@pytest.fixture
def container(buildah, image):
    name = buildah.run("from", "--pull=never", image)
    yield name
    buildah.run("rm", name)


@pytest.fixture
def volume(buildah, container, tmp_path):
    """The data folder, with the owner that an engine gives to a new volume: the image's."""
    uid, gid = (
        int(buildah.run("run", "--isolation", "chroot", container, "--", "id", flag, "netboot"))
        for flag in ("-u", "-g")
    )
    folder = tmp_path / "volume"
    folder.mkdir(mode=0o700)
    os.chown(folder, uid, gid)
    return folder


def isolated(buildah, container, volume, *words, capabilities=(*SET_UP, *NETWORK)):
    """The command that runs words in the container, with these capabilities alone."""
    return buildah.command(
        *("run", "--isolation", "chroot"),
        *(f"--cap-drop=CAP_{one}" for one in DEFAULTS if one not in capabilities),
        *(f"--cap-add=CAP_{one}" for one in capabilities),
        *("--volume", f"{volume}:/var/lib/netboot", container, "--", *words),
    )


def processes(user):
    """The processes of this user: their words, and their capabilities."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            lines = (place / "status").read_text().splitlines()
            words = (place / "cmdline").read_text().split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        rows = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        if rows["Uid"].split() == [str(user)] * 4:
            found.append((words, int(rows["CapEff"], 16)))
    return found


def test_the_image_says_what_it_runs_and_what_it_keeps(buildah, image):
    """`run` is what it does; the data folder is a volume."""
    config = json.loads(buildah.run("inspect", "--type", "image", image))["OCIv1"]["config"]
    assert config["Entrypoint"] == ["/usr/bin/netboot"]
    assert config["Cmd"] == ["run"]
    assert set(config["Volumes"]) == {"/var/lib/netboot"}
    assert "User" not in config, "its start becomes the user netboot"


def test_neither_compiler_nor_test_machines_nor_lists_of_packages_are_in_it(buildah, container):
    look = "command -v gcc qemu-system-x86_64; ls /var/lib/apt/lists /build; netboot --version"
    shown = buildah.run("run", "--isolation", "chroot", container, "--", "sh", "-c", f"{look}; :")
    assert shown.splitlines()[-1].startswith("netboot, version ")
    assert "bin/" not in shown
    assert ".deb" not in shown


@needs_netns
def test_a_started_container_serves_its_hosts_network(buildah, container, volume, lan):
    """Page, TFTP and HTTP answer; nothing is root's; only the boot services have capabilities."""
    host = lan.host("srv", f"{ADDRESS}/24")
    run = ("netboot", "run", "--interface", "eth0")
    process = host.start(*isolated(buildah, container, volume, *run))
    said = wait_for(process, "Stop ")
    assert f"The site is up, serving the network behind eth0 as {ADDRESS}." in said

    assert "Set up this site" in host.run("curl", "-sL", "-m", "20", "http://127.0.0.1:8080/")
    size = host.run(
        *("curl", "-s", "-m", "20", f"tftp://{ADDRESS}/undionly.kpxe"),
        *("-o", "/dev/null", "-w", "%{size_download}"),
    )
    assert int(size) > 50_000
    script = host.run("curl", "-s", "-m", "20", f"http://{ADDRESS}:8081/boot.ipxe?platform=efi")
    assert script.startswith("#!ipxe")

    owner = volume.stat().st_uid
    rights = processes(owner)
    assert {held for words, held in rights if "boot" in words} == {BITS}
    assert {held for words, held in rights if not {"boot", "run"} & set(words)} == {0}
    assert {"http", "web", "projector", "worker"} <= {word for words, _ in rights for word in words}
    assert {path.lstat().st_uid for path in (volume, *volume.rglob("*"))} == {owner}

    # An administrator's command in the same container.
    token = isolated(buildah, container, volume, "netboot", "account", "setup-token")
    assert subprocess.run(token, capture_output=True, text=True).returncode == 0
    (pid,) = [pid for pid in pids(owner) if "netboot\0run\0" in cmdline(pid)]
    os.kill(pid, signal.SIGTERM)
    assert process.wait(60) == 0


def pids(user):
    return [int(one.name) for one in Path("/proc").glob("[0-9]*") if one.stat().st_uid == user]


def cmdline(pid):
    return Path(f"/proc/{pid}/cmdline").read_text()


def test_without_the_right_to_become_netboot_its_start_says_which_to_allow(
    buildah, container, volume
):
    command = isolated(buildah, container, volume, "netboot", "run", capabilities=NETWORK)
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != 0
    assert "root may not become the user netboot" in done.stderr
    assert "Allow SETUID and SETGID." in done.stderr


def test_the_papers_name_the_capabilities_that_were_tried():
    text = (ROOT / "Containerfile").read_text()
    assert f"--cap-add {','.join((*NETWORK, *SET_UP))}" in text
