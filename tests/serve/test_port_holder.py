"""Who holds a port, asked of the real /proc."""

import os
import socket
import subprocess
import sys

import pytest

from netboot.serve.port_holder import holder_of, who_holds

pytestmark = pytest.mark.loopback


def test_this_process() -> None:
    """A port of our own is ours, by name and number."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        port = udp.getsockname()[1]

        assert f"(process {os.getpid()})" in who_holds(port, protocol="udp", address="127.0.0.1")
        assert f"(process {os.getpid()})" in who_holds(port, protocol="udp")


def test_another_process() -> None:
    """A listening TCP port of another program."""
    code = (
        "import socket,sys; s=socket.create_server(('127.0.0.1',0));"
        "print(s.getsockname()[1],flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout
        port = int(other.stdout.readline())
        holder = who_holds(port, protocol="tcp", address="0.0.0.0")
        other.communicate("")

    assert f"(process {other.pid})" in holder
    assert holder.startswith("python")


def test_a_connection_is_no_listener() -> None:
    """Only who listens on a TCP port holds it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        local = client.getsockname()[1]

        assert "process" not in who_holds(local, protocol="tcp")
        client.close()


def test_nobody_that_we_can_see() -> None:
    """Words in place of a name."""
    assert who_holds(1, protocol="udp").startswith("another program")


def test_a_port_that_nobody_has_is_nobodys() -> None:
    """Told apart from one whose holder cannot be seen."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        port = udp.getsockname()[1]
        assert f"(process {os.getpid()})" in holder_of(port, protocol="udp")

    assert holder_of(port, protocol="udp") == ""
