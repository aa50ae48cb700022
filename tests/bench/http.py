"""HTTP side by side: our boot port and nginx, one load client, one cable.

`python -m tests.bench.http [--quick] [--rounds N]`. Both are measured in turns, one process on
one processor each; a first round is thrown away. The client checks every byte. Last line: one
JSON object with the ratios to nginx, the goals, and what fell short.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tests.bench.bench_network import (
    FIRST_CLIENT,
    BenchNetwork,
    Server,
    compile_client,
    leave_nothing_behind,
    wait_until,
)
from tests.bench.bench_peers import debian_program
from tests.bench.bench_table import Goal, Series, conclude, print_table, ratio

OURS, PEER = "netboot", "nginx"
PORT = "8081"
MB = 1_000_000


@dataclass(frozen=True)
class Case:
    """What is asked, how often in all, by how many; sizes in bytes, `part` 0 for whole files."""

    name: str
    size: int
    requests: int
    part: int = 0
    clients: int = 64


CASES = (
    Case("full", 20 * MB, 128),
    Case("ranges", 100 * MB, 2048, part=MB),
    Case("small", 1024, 200_000),
)
QUICK = (
    Case("full", 4 * MB, 128),
    Case("ranges", 20 * MB, 512, part=MB),
    Case("small", 1024, 30_000),
)

GOALS: dict[str, Goal] = {
    "full_throughput": (">=", 0.95),
    "full_cpu": ("<=", 1.05),
    "ranges_throughput": (">=", 0.95),
    "ranges_cpu": ("<=", 1.05),
    "small_requests": (">=", 0.5),
    "failed": ("<=", 0),
    "wrong": ("<=", 0),
}

NGINX = """
user root;
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log;
events {{ worker_connections 2048; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000;
    open_file_cache max=1000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen {{address}}:{port};
        location /p/ {{ alias {folder}/files/; }}
    }}
}}
"""


@dataclass
class Measured:
    """One server in one case, over the rounds."""

    throughput: Series = field(default_factory=Series)  # MB/s
    requests: Series = field(default_factory=Series)  # per second
    processor: Series = field(default_factory=Series)  # seconds per GiB, or us per request
    client: Series = field(default_factory=Series)
    memory: Series = field(default_factory=Series)
    failed: int = 0
    wrong: int = 0


Results = dict[str, dict[str, Measured]]


class Bench:
    """Both servers, and the client."""

    def __init__(self, network: BenchNetwork, program: Path) -> None:
        self.network = network
        self.program = program
        self.files = network.folder / "files"
        self.files.mkdir()
        for folder in (network.folder, self.files):
            folder.chmod(0o755)
        self.file(1)
        self.servers: dict[str, Server] = {}

    def file(self, size: int) -> str:
        """The name of a file of random bytes of this size."""
        path = self.files / f"f{size}"
        if not path.exists():
            path.write_bytes(os.urandom(size))
            path.chmod(0o644)
        return path.name

    def start(self, name: str, command: Sequence[str] | None) -> None:
        """Start a server and wait until it serves."""
        if command is None:
            return
        server = self.network.start(name, command)
        try:
            wait_until(partial(self._answers, server), name)
        except RuntimeError as error:
            print(f"{error}: {server.log.read_text()[-500:]}")
            return
        self.servers[name] = server

    def _answers(self, server: Server) -> bool:
        try:
            return bool(self.fetch(server, Case("", 1, 1, clients=1))["failed"] == 0)
        except RuntimeError:
            return False

    def fetch(self, server: Server, case: Case) -> dict[str, Any]:
        """Let the crowd of a case ask a server."""
        name = self.file(case.size)
        return self.network.client(
            str(self.program),
            *("-s", server.address, "-p", PORT, "-c", str(case.clients), "-i", FIRST_CLIENT),
            *("-n", str(case.requests), "-u", f"/p/{name}", "-r", str(self.files / name)),
            *("-R", str(case.part)),
        )

    def measure(self, server: Server, case: Case, into: Measured) -> None:
        """One round of one case with one server."""
        before = server.seconds()
        got = self.fetch(server, case)
        used = server.seconds() - before
        unit = got["answered"] / 1e6 if case.name == "small" else got["bytes"] / 2**30
        into.throughput.values.append(got["bytes"] / 1e6 / got["seconds"])
        into.requests.values.append(got["answered"] / got["seconds"])
        into.processor.values.append(used / unit)
        into.client.values.append(got["cpu"] / unit)
        into.memory.values.append(server.memory())
        into.failed += got["failed"]
        into.wrong += got["wrong"]


def nginx_command(network: BenchNetwork) -> list[str] | None:
    """How nginx is started, with a configuration that is good to it."""
    nginx = debian_program("nginx", "nginx-light")
    if nginx is None:
        return None
    configuration = network.folder / "nginx.conf"
    text = NGINX.format(folder=network.folder, port=PORT)
    configuration.write_text(text.replace("{address}", network.next_address))
    return [*nginx, "-c", str(configuration)]


def run_case(bench: Bench, case: Case, rounds: int) -> dict[str, Measured]:
    """Both servers in turns; the first of several rounds is thrown away."""
    measured = {name: Measured() for name in bench.servers}
    warm_up = rounds > 1
    for number in range(rounds + warm_up):
        for name, server in bench.servers.items():
            bench.measure(server, case, Measured() if number < warm_up else measured[name])
    show(case, measured)
    return measured


def show(case: Case, measured: dict[str, Measured]) -> None:
    """A case's table."""
    unit = "us/request" if case.name == "small" else "CPU s/GiB"
    rows = [
        [
            name,
            one.throughput.text(),
            one.requests.text(0),
            one.processor.text(3),
            f"{one.client.median:.3f}",
            f"{(one.memory.median or 0) / MB:.1f}",
            f"{one.failed}/{one.wrong}",
        ]
        for name, one in measured.items()
    ]
    columns = ["server", "MB/s", "requests/s", unit, "client's", "own MB", "failed/wrong"]
    what = f"{case.part / MB:g} MB ranges of " if case.part else ""
    title = f"{case.name} ({case.clients} clients, {what}{case.size / MB:g} MB)"
    print_table(title, columns, rows)


def figures_of(results: Results) -> dict[str, float | None]:
    """The ratios that the goals speak of."""
    figures: dict[str, float | None] = {}
    for case in ("full", "ranges"):
        figures[f"{case}_throughput"] = _ratio(results, case, "throughput")
        figures[f"{case}_cpu"] = _ratio(results, case, "processor")
    figures["small_requests"] = _ratio(results, "small", "requests")
    figures["small_cpu"] = _ratio(results, "small", "processor")
    ours = [measured[OURS] for measured in results.values() if OURS in measured]
    figures["failed"] = float(sum(one.failed for one in ours)) if ours else None
    figures["wrong"] = float(sum(one.wrong for one in ours)) if ours else None
    return figures


def _ratio(results: Results, case: str, what: str) -> float | None:
    measured = results[case]
    if OURS not in measured or PEER not in measured:
        return None
    ours, theirs = (getattr(measured[name], what).median for name in (OURS, PEER))
    return ratio(ours, theirs)


def details_of(results: Results) -> dict[str, Any]:
    """All rounds, for the results file."""
    return {
        case: {
            name: {
                "throughput_mb_s": one.throughput.values,
                "requests_per_s": one.requests.values,
                "cpu": one.processor.values,
                "client_cpu": one.client.values,
                "memory_bytes": one.memory.values,
            }
            for name, one in measured.items()
        }
        for case, measured in results.items()
    }


def main() -> None:
    """Measure, print, conclude."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="less than a minute, for a look")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    if os.geteuid():
        sys.exit("Network namespaces need root: sudo make bench-http")
    program = compile_client("http_load.c")
    leave_nothing_behind()
    with BenchNetwork() as network:
        bench = Bench(network, program)
        ours = [sys.executable, "-m", "tests.bench.http_server", "{address}", PORT]
        bench.start(OURS, [*ours, str(bench.files)])
        bench.start(PEER, nginx_command(network))
        results = {
            case.name: run_case(bench, case, 1 if asked.quick else asked.rounds)
            for case in (QUICK if asked.quick else CASES)
        }
    conclude("http", figures_of(results), GOALS, details=details_of(results), quick=asked.quick)


if __name__ == "__main__":
    main()
