"""Every command that reads what a person names: pipes and devices without an end are refused."""

import os
import subprocess
import sys

import pytest

from netboot.site import Site
from tests.web.support.seeding import add_image

SECONDS = 60


@pytest.fixture
def pipe(tmp_path):
    """A pipe that nobody writes to."""
    path = tmp_path / "pack.inf"
    os.mkfifo(path)
    return path


def apart(data, *words, stdin=subprocess.DEVNULL):
    """The command in a process of its own, which must end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "netboot", "--data", str(data), *map(str, words)],
        stdin=stdin, capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip


def test_a_device_list_from_a_pipe_that_never_ends_is_refused(data):
    """`yes 8086:100e | netboot machine import laptops`."""
    with subprocess.Popen(["yes", "8086:100e"], stdout=subprocess.PIPE) as endless:
        done = apart(data, "machine", "import", "laptops", stdin=endless.stdout)
        endless.stdout.close()
    assert done.returncode == 2
    assert "netboot: the device list is larger than 4 MB" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_device_list_from_a_pipe_that_ends_is_read(data):
    with subprocess.Popen(["echo", "8086:100e"], stdout=subprocess.PIPE) as listing:
        done = apart(data, "machine", "import", "laptops", stdin=listing.stdout)
        listing.stdout.close()
    assert done.returncode == 0, done.stderr


COMMANDS = {
    "image import": ("image", "import", "FILE", "--name", "PE"),
    "image source": ("image", "reload", "Lab PE x64", "FILE"),
    "driver import": ("driver", "import", "FILE"),
    "add-file": ("image", "add-file", "Lab PE x64", "FILE", "/Tools/"),
    "background": ("image", "set", "Lab PE x64", "--background", "FILE"),
    "boot.sdi": ("image", "set", "Lab PE x64", "--boot-sdi", "FILE"),
    "prestart file": ("image", "set", "Lab PE x64", "--prestart-file", "FILE"),
    "wimboot": ("wimboot", "import", "FILE"),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("what", ["pipe", "/dev/zero"])
def test_a_pipe_or_a_device_is_refused_where_a_file_is_wanted(netboot, data, pipe, command, what):
    """At once, and in words."""
    site = Site.open(data)
    add_image(site, "Lab PE x64")
    site.database.close()
    named = pipe if what == "pipe" else what
    done = netboot(*(named if word == "FILE" else word for word in COMMANDS[command]), code=2)

    assert "file" in done.stderr
    assert done.stderr.startswith("netboot: ")


@pytest.mark.parametrize("verb", ["plan", "apply"])
def test_a_pipe_in_a_declaration_is_refused(netboot, tmp_path, verb):
    folder = tmp_path / "declared"
    folder.mkdir()
    os.mkfifo(folder / "drivers.toml")
    assert "is a pipe, not a file" in netboot(verb, folder, code=2).stderr


def test_a_list_of_published_files_that_never_ends_is_refused(netboot):
    done = netboot("check", "--interface", "lo", "--expected", "/dev/zero", code=2)
    assert "is a device, not a file" in done.stderr
