import os
import socket
import subprocess
import sys

import pytest

from netboot.errors import OperatorFault
from vm.network.daemons import bound_ports, wait_until_bound

pytestmark = pytest.mark.loopback


def test_the_kernel_tells_which_ports_are_in_use():
    """A bound UDP socket and a listening TCP socket count; one that only has its port does not."""
    udp, tcp, idle = (
        socket.socket(socket.AF_INET, kind)
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM, socket.SOCK_STREAM)
    )
    with udp, tcp, idle:
        for each in (udp, tcp, idle):
            each.bind(("127.0.0.1", 0))
        tcp.listen()

        assert udp.getsockname()[1] in bound_ports(os.getpid(), "udp")
        assert tcp.getsockname()[1] in bound_ports(os.getpid(), "tcp")
        assert idle.getsockname()[1] not in bound_ports(os.getpid(), "tcp")


def start(tmp_path, script):
    log = tmp_path / "log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-c", script], stdout=stream, stderr=subprocess.STDOUT
        )
    return process, log


def test_waiting_ends_when_the_daemon_listens(tmp_path):
    """A daemon that takes its time is waited for."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process, log = start(
        tmp_path,
        f"import socket,time; time.sleep(0.3); s=socket.socket(); s.bind(('127.0.0.1',{port}));"
        "s.listen(); time.sleep(60)",
    )

    wait_until_bound(process, log, tcp=(port,), seconds=10)

    assert process.poll() is None
    process.kill()
    process.wait(10)


def test_a_daemon_that_ends_is_told_with_its_last_words(tmp_path):
    """Ports that are missing stand in the message, the log's end in the hint."""
    process, log = start(tmp_path, "print('no right to open port 67')")
    process.wait(10)

    with pytest.raises(OperatorFault, match="UDP 1, TCP 2") as caught:
        wait_until_bound(process, log, udp=(1,), tcp=(2,), seconds=10)

    assert "no right to open port 67" in caught.value.hint
