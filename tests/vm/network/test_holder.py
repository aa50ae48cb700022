import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SECONDS = 15.0

pytestmark = [
    pytest.mark.netns,
    pytest.mark.skipif(
        os.geteuid() != 0, reason="run here as root; test_network runs it as anybody"
    ),
]


@pytest.fixture
def holder():
    """A holder in namespaces of its own, and our end of its socket."""
    near, far = socket.socketpair()
    near.settimeout(SECONDS)
    process = subprocess.Popen(
        [
            "unshare",
            "--net",
            "--mount",
            sys.executable,
            "-m",
            "vm.network.holder",
            str(far.fileno()),
        ],
        pass_fds=(far.fileno(),),
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
    )
    far.close()
    yield process, near
    near.close()
    process.wait(SECONDS)


def test_it_hands_over_a_port_for_each_namespace(holder):
    """Two AF_PACKET sockets come with its answer, and it lives until we hang up."""
    process, channel = holder
    channel.sendall(json.dumps({"a": ["10.0.0.1/24"], "b": ["10.0.0.2/24"]}).encode() + b"\n")

    answer, descriptors, _, _ = socket.recv_fds(channel, 65536, 8)
    links = [socket.socket(fileno=descriptor) for descriptor in descriptors]

    assert process.pid == json.loads(answer)["pid"]
    assert [link.family for link in links] == [socket.AF_PACKET] * 2
    for link in links:
        link.close()
    channel.close()
    assert process.wait(SECONDS) == 0


def test_it_says_why_it_cannot(holder):
    """A plan that the kernel refuses comes back as words; the holder ends."""
    process, channel = holder
    channel.sendall(json.dumps({"a": ["no address"]}).encode() + b"\n")

    answer, _, _, _ = socket.recv_fds(channel, 65536, 8)

    assert "no address" in json.loads(answer)["error"]
    assert process.wait(SECONDS) == 1


def test_it_ends_when_nobody_speaks(holder):
    """Hanging up before any plan ends it too."""
    process, channel = holder
    channel.close()

    assert process.wait(SECONDS) == 1
