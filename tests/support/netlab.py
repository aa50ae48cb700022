"""A LAN of its own for a test: namespaces on a bridge, nothing of it on the host's network.

    with Lan() as lan:
        server = lan.host("srv", "10.77.0.2/24")
        client = lan.host("cli")

Needs root; `needs_netns` skips where that cannot be had. Programs started here end with the LAN.
"""

import ctypes
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Self, TypeVar

import pytest

T = TypeVar("T")

needs_netns = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_numbers = count()


def _run(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


@dataclass
class Host:
    """One machine of the LAN. `interface` is the name of its first card inside it."""

    name: str
    namespace: str
    interface: str = "eth0"
    programs: list[subprocess.Popen[str]] = field(default_factory=list)

    def run(self, *argv: str, check: bool = True, timeout: float = 30) -> str:
        """Run a program in here; its output."""
        done = subprocess.run(
            ["ip", "netns", "exec", self.namespace, *argv],
            check=False,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        if check and done.returncode:
            raise AssertionError(f"{argv}: {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout + done.stderr

    def start(self, *argv: str) -> subprocess.Popen[str]:
        """Start a program in here; it ends with the LAN."""
        program = subprocess.Popen(
            ["ip", "netns", "exec", self.namespace, *argv],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.programs.append(program)
        return program

    def inside(self, call: Callable[[], T]) -> T:
        """What `call` returns, called in here: sockets that it makes stay here."""
        result: list[T] = []
        failure: list[BaseException] = []

        def enter() -> None:
            try:
                with Path("/run/netns", self.namespace).open("rb") as door:
                    if _libc.setns(door.fileno(), _CLONE_NEWNET):
                        raise OSError(ctypes.get_errno(), "setns")
                result.append(call())
            except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
                failure.append(error)

        thread = threading.Thread(target=enter)  # setns changes one thread only
        thread.start()
        thread.join()
        if failure:
            raise failure[0]
        return result[0]

    def address(self, cidr: str) -> None:
        """Give the first card another address."""
        _run("ip", "-n", self.namespace, "addr", "add", cidr, "dev", self.interface)


class Lan:
    """Hosts on bridges. A host without a subnet is on the LAN called `lan`."""

    def __init__(self) -> None:
        self._prefix = f"nb{os.getpid()}x{next(_numbers)}"
        self._switch = f"{self._prefix}-sw"
        self._bridges: set[str] = set()
        self._ports = count()
        self.hosts: list[Host] = []

    def __enter__(self) -> Self:
        _run("ip", "netns", "add", self._switch)
        _run("ip", "-n", self._switch, "link", "set", "lo", "up")
        return self

    def __exit__(self, *_: object) -> None:
        for host in self.hosts:
            for program in host.programs:
                _end(program)
        for host in self.hosts:
            _run("ip", "netns", "del", host.namespace)
        _run("ip", "netns", "del", self._switch)

    def host(self, name: str, *addresses: str, lan: str = "lan") -> Host:
        """A new machine on `lan` with these addresses (`10.0.0.1/24`)."""
        namespace = f"{self._prefix}-{name}"
        _run("ip", "netns", "add", namespace)
        _run("ip", "-n", namespace, "link", "set", "lo", "up")
        made = Host(name, namespace)
        self.hosts.append(made)
        self.plug(made, made.interface, *addresses, lan=lan)
        return made

    def plug(self, host: Host, interface: str, *addresses: str, lan: str) -> None:
        """Put a card into `host` and its cable into `lan`."""
        self._bridge(lan)
        port = f"p{next(self._ports)}"
        _run("ip", "-n", self._switch, "link", "add", port, "type", "veth",
             "peer", "name", interface, "netns", host.namespace)  # fmt: skip
        _run("ip", "-n", self._switch, "link", "set", port, "master", lan, "up")
        for address in addresses:
            _run("ip", "-n", host.namespace, "addr", "add", address, "dev", interface)
        _run("ip", "-n", host.namespace, "link", "set", interface, "up")
        self._wait_for_port(port)

    def _wait_for_port(self, port: str) -> None:
        """Until the bridge forwards to it: on a busy machine that comes after the link is up."""
        end = time.monotonic() + 10
        while "state forwarding" not in _run("bridge", "-n", self._switch, "link", "show",
                                             "dev", port):  # fmt: skip
            assert time.monotonic() < end, f"the bridge never forwards to {port}"

    def _bridge(self, name: str) -> None:
        if name in self._bridges:
            return
        self._bridges.add(name)
        _run("ip", "-n", self._switch, "link", "add", name, "type", "bridge",
             "stp_state", "0", "forward_delay", "0", "mcast_snooping", "0")  # fmt: skip
        _run("ip", "-n", self._switch, "link", "set", name, "up")


def _end(program: subprocess.Popen[str]) -> None:
    if program.poll() is None:
        os.killpg(program.pid, signal.SIGTERM)
        try:
            program.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(program.pid, signal.SIGKILL)
            program.wait(5)
    if program.stdout:
        program.stdout.close()
