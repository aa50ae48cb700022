"""`netboot run` as a process: it starts everything, says where the page is, and ends it all."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytestmark = [pytest.mark.netns, pytest.mark.wimlib]


@pytest.fixture
def folder():
    """A short one: the lab's socket lies in it, and a socket's path has at most 107 characters."""
    with tempfile.TemporaryDirectory(prefix="nb") as name:
        yield Path(name)


def command_lines():
    """Of all processes there are."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield path.read_bytes().replace(b"\0", b" ").decode(errors="replace")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def lines_until(process, last):
    told = []
    for line in process.stdout:
        told.append(line)
        if last in line:
            return "".join(told)
    pytest.fail("it ended before it was up:\n" + "".join(told))


def test_one_command_starts_the_site_and_one_signal_ends_it(folder):
    """The first screen names the page and the token; after SIGTERM no process of it is left."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "netboot", "--data", str(folder / "d"), "run"],
        env=os.environ | {"NETBOOT_WEB_PORT": str(port)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        told = lines_until(process, "Ctrl-C")
        assert f"http://127.0.0.1:{port}/" in told
        assert "Set-up token" in told
        assert "nothing on your LAN is touched" in told
        with socket.create_connection(("127.0.0.1", port), timeout=10) as page:
            page.sendall(b"GET /setup HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            assert b"200 OK" in page.recv(100)
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(60)
    assert 0 == code
    assert [] == [words for words in command_lines() if str(folder) in words]
