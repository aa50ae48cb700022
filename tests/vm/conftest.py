"""What the lab's tests share: the Lab PE, a private network, and who may have one."""

import os
import shutil
import subprocess

import pytest

from netboot.errors import NotPermitted
from vm import labpe
from vm.network.lab_network import LabNetwork


@pytest.fixture(scope="session")
def lab_pe():
    """The Lab PE of this tree, built when it is not in the cache."""
    return labpe.ensure()


@pytest.fixture
def network(tmp_path):
    """A private network of the test's own."""
    try:
        with LabNetwork(tmp_path / "network", capture=True) as made:
            yield made
    except NotPermitted as refusal:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"{refusal} {refusal.hint}")


@pytest.fixture(scope="session")
def busybox():
    """The shell that the Lab PE runs: tests of its scripts run them in the very same program."""
    path = shutil.which("busybox")
    if path is None:
        pytest.fail("busybox is not installed: apt-get install busybox-static")
    return path


@pytest.fixture
def awk(busybox):
    """`awk(script, text, name=value)`: what the Lab PE's awk script prints for this text."""

    def run(script, text, **variables):
        settings = [word for key, value in variables.items() for word in ("-v", f"{key}={value}")]
        done = subprocess.run(
            [busybox, "awk", *settings, "-f", str(script)],
            input=text.encode("utf-8", "surrogateescape"),
            capture_output=True,
            check=True,
        )
        return done.stdout.decode("latin-1").splitlines()

    return run
