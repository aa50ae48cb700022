"""Two machines and a cable for a benchmark: namespaces joined by a veth pair, MTU 1500.

The server's machine has a processor of its own where there are two, and so has the client's; the
work that packets cause on arrival is charged to the machine that they arrive at, as on real
machines. Nothing of it touches the host's network. Needs root.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tests.bench.bench_processor import ProcessorTime

SERVER_NETWORK = "10.99.0"
CLIENT_ADDRESS = "10.99.0.2"
CLIENTS_NETWORK = "10.98.0.0/16"
FIRST_CLIENT = "10.98.0.1"
_NOBODY_ELSE = "-20"


def leave_nothing_behind() -> None:
    """Whoever ends a benchmark early (SIGTERM) finds no servers and no networks left over."""
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(143))


def run(*argv: str) -> str:
    """What a command prints. Raises CalledProcessError with its words."""
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def processors() -> tuple[str, str]:
    """The processors of server and client."""
    usable = sorted(os.sched_getaffinity(0))
    return str(usable[0]), str(usable[-1])


@dataclass
class Server:
    """A server that runs in the server's machine, alone on its address."""

    name: str
    address: str
    process: subprocess.Popen[str]
    time: ProcessorTime
    log: Path

    def alive(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    def seconds(self) -> float:
        """Processor seconds used since the start, by it and all its children."""
        return self.time.seconds()

    def memory(self) -> int:
        """Bytes of memory that are its own: anonymous pages, its children's shared ones once."""
        total = 0
        for pid in self.time.members() or [self.process.pid]:
            with contextlib.suppress(OSError):
                text = Path(f"/proc/{pid}/smaps_rollup").read_text()
                total += next(
                    int(line.split()[1]) * 1024
                    for line in text.splitlines()
                    if line.startswith("Pss_Anon:")
                )
        return total

    def stop(self) -> None:
        """End it and what it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(3)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.time.close()


@dataclass
class BenchNetwork:
    """The two machines; a context manager."""

    servers: list[Server] = field(default_factory=list)
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="netboot-bench-")))
    tag: str = field(default_factory=lambda: f"nb{os.getpid()}")

    @property
    def server_machine(self) -> str:
        """The namespace of the servers."""
        return f"{self.tag}s"

    @property
    def client_machine(self) -> str:
        """The namespace of the clients."""
        return f"{self.tag}c"

    def __enter__(self) -> Self:
        try:
            self._build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for server in self.servers:
            server.stop()
        for machine in (self.server_machine, self.client_machine):
            subprocess.run(["ip", "netns", "del", machine], check=False, capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _build(self) -> None:
        server, client = self.server_machine, self.client_machine
        run("ip", "netns", "add", server)
        run("ip", "netns", "add", client)
        run(
            *("ip", "link", "add", "eth0", "netns", server, "mtu", "1500", "type", "veth"),
            *("peer", "name", "eth0", "netns", client),
        )
        run("ip", "-n", client, "link", "set", "eth0", "mtu", "1500")
        run("ip", "-n", server, "addr", "add", f"{SERVER_NETWORK}.1/16", "dev", "eth0")
        run("ip", "-n", client, "addr", "add", f"{CLIENT_ADDRESS}/16", "dev", "eth0")
        for machine in (server, client):
            run("ip", "-n", machine, "link", "set", "lo", "up")
            run("ip", "-n", machine, "link", "set", "eth0", "up")
        # Thousands of clients, each with an address of its own, behind one neighbour.
        run("ip", "-n", client, "route", "add", "local", CLIENTS_NETWORK, "dev", "lo")
        run("ip", "-n", server, "route", "add", CLIENTS_NETWORK, "via", CLIENT_ADDRESS)
        mine, theirs = processors()
        self._steer(server, mine)
        self._steer(client, theirs)
        Path("/proc/sys/net/core/netdev_max_backlog").write_text("20000")

    def _steer(self, machine: str, processor: str) -> None:
        """Packets that arrive at a machine are worked on by its own processor."""
        mask = f"{1 << int(processor):x}"
        queue = "/sys/class/net/eth0/queues/rx-0/rps_cpus"
        self.inside(machine, "sh", "-c", f"echo {mask} > {queue}")

    def inside(self, machine: str, *argv: str) -> str:
        """Run a command in a machine."""
        return run("ip", "netns", "exec", machine, *argv)

    def offload(self, *, on: bool) -> None:
        """Whether the server's card cuts segments itself, or the kernel does it before."""
        word = "on" if on else "off"
        self.inside(self.server_machine, "ethtool", "-K", "eth0", "tx-udp-segmentation", word)

    def lose(self, chance: int) -> None:
        """Lose so many of 10,000 packets each way, on arrival; 0 ends it.

        `tc netem` would be the usual way, but not every kernel has it.
        """
        rule = f"meta l4proto udp numgen random mod 10000 < {chance} drop"
        chain = f"chain in {{ type filter hook input priority 0; {rule}; }};" if chance else ""
        rules = f"table inet loss\ndelete table inet loss\ntable inet loss {{ {chain} }}"
        for machine in (self.server_machine, self.client_machine):
            argv = ["ip", "netns", "exec", machine, "nft", "-f", "-"]
            subprocess.run(argv, input=rules, check=True, capture_output=True, text=True)

    @property
    def next_address(self) -> str:
        """The address of the next server to be started."""
        return f"{SERVER_NETWORK}.{11 + len(self.servers)}"

    def start(
        self, name: str, command: Sequence[str], *, environment: dict[str, str] | None = None
    ) -> Server:
        """Start a server on an address of its own; `{address}` in its command is that address."""
        address = self.next_address
        run("ip", "-n", self.server_machine, "addr", "add", f"{address}/16", "dev", "eth0")
        used = ProcessorTime(f"{self.tag}-{len(self.servers)}")
        log = self.folder / f"{name}.log"
        argv = [part.replace("{address}", address) for part in command]
        with log.open("w") as output:
            process = subprocess.Popen(
                [
                    *("ip", "netns", "exec", self.server_machine),
                    *("taskset", "-c", processors()[0], *argv),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
                preexec_fn=used.enter,  # noqa: PLW1509 - no thread has been started
            )
        prefer(process.pid)
        used.count(process.pid)
        server = Server(name, address, process, used, log)
        self.servers.append(server)
        return server

    def client(self, *argv: str, timeout: float = 120) -> dict[str, Any]:
        """Run a load client in the client's machine; the JSON object that it prints."""
        process = subprocess.Popen(
            [
                *("ip", "netns", "exec", self.client_machine),
                *("taskset", "-c", processors()[1], *argv),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        prefer(process.pid)
        output, errors = process.communicate(timeout=timeout)
        if process.returncode:
            raise RuntimeError(f"{argv}: {process.returncode}\n{errors}")
        result: dict[str, Any] = json.loads(output)
        return result


def prefer(pid: int) -> None:
    """Other work on this machine should disturb the measurement as little as can be."""
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(_NOBODY_ELSE)


def wait_until(answers: Any, what: str, seconds: float = 10.0) -> None:
    """Wait until `answers()` is true."""
    end = time.monotonic() + seconds
    while not answers():
        if time.monotonic() > end:
            raise RuntimeError(f"{what} does not answer")
        time.sleep(0.05)


def compile_client(source: str) -> Path:
    """The program of a C file beside us, compiled now."""
    here = Path(__file__).parent
    build = here / "build"
    build.mkdir(exist_ok=True)
    program = build / Path(source).stem
    run("gcc", "-O2", "-o", str(program), str(here / source))
    return program
