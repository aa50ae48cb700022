"""TFTP side by side: our server and its peers, one load client, one cable.

`python -m tests.bench.tftp [--quick] [--rounds N] [--case NAME]`. Servers are measured in turns,
so that a disturbance meets all; a first round is thrown away. The client checks every byte. Last
line: one JSON object with the ratios to the best peer, the goals, and what fell short.
"""

import argparse
import os
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
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
from tests.bench.bench_peers import debian_program, python_with
from tests.bench.bench_table import Goal, Series, conclude, print_table, ratio

OURS = "netboot"
PEERS = ("dnsmasq", "tftpd-hpa", "atftpd", "tftpy", "tftp 0.2.1")
MB = 1_000_000
LONG = 5.0


@dataclass(frozen=True)
class Case:
    """What is measured. Sizes in bytes; losses in 1/10,000 of packets; `limit` in seconds.

    `data_loss` and `ack_loss` happen in the client, block by block; `wire_loss` on the cable, each
    way: what left as one piece (UDP segmentation offload) is then lost as a whole.
    `more_rounds` where servers are so near to each other that three rounds do not tell them apart.
    """

    name: str
    clients: int
    size: int
    window: int
    block_size: int = 1456
    offload: bool = True
    data_loss: int = 0
    ack_loss: int = 0
    wire_loss: int = 0
    manner: str = "gap"
    limit: float = 60.0
    peers: Sequence[str] = PEERS
    quick_size: int = 0
    more_rounds: int = 0


def lossy(
    name: str, percent: int, *, window: int = 1, wire: bool = False, offload: bool = True
) -> Case:
    """Fifty transfers of 3 MB at once, of which the slowest counts."""
    loss = 100 * percent
    return Case(
        *(name, 50, 3 * MB, window),
        offload=offload,
        data_loss=0 if wire else loss,
        ack_loss=0 if wire else loss,
        wire_loss=loss if wire else 0,
        limit=300,
        peers=(),
        quick_size=MB // 10,
    )


WORST: dict[str, tuple[str, float]] = {
    "worst_lockstep_1": ("1 % loss each way, lockstep, worst of 50", 5.0),
    "worst_lockstep_5": ("5 % loss each way, lockstep, worst of 50", 30.0),
    "worst_lockstep_20": ("20 % loss each way, lockstep, worst of 50", 180.0),
    "worst_w16_20": ("20 % loss each way, w16, worst of 50", 60.0),
    "worst_w16_20_cable": ("20 % loss on the cable, w16, worst of 50", 60.0),
    "worst_w16_20_cable_no_offload": (
        "20 % loss on the cable, w16, no offload, worst of 50",
        60.0,
    ),
}
"""Cases of `lossy`, and in how many seconds the slowest transfer must have ended."""

CASES = (
    Case("w16, 16 clients", 16, 20 * MB, 16, quick_size=4 * MB),
    Case("w16, 128 clients", 128, 5 * MB // 2, 16, quick_size=MB // 2),
    Case("w64, 1 client", 1, 300 * MB, 64, quick_size=60 * MB),
    Case("w16, 16 clients, no offload", 16, 20 * MB, 16, offload=False, quick_size=4 * MB),
    Case("w4, 16 clients", 16, 20 * MB, 4, quick_size=4 * MB),
    Case("lockstep, 16 clients", 16, 4 * MB, 1, quick_size=MB, more_rounds=6),
    Case("lockstep, 128 clients", 128, MB, 1, quick_size=MB // 4, more_rounds=6),
    Case("1 % loss, w16, one ACK a gap", 1, 5 * MB, 16, data_loss=100, quick_size=MB, limit=20),
    Case(
        *("1 % loss, w16, an ACK a block", 1, 5 * MB, 16),
        data_loss=100,
        manner="block",
        quick_size=MB,
        limit=20,
    ),
    Case(
        *("1 % loss each way, lockstep", 1, 3 * MB, 1),
        data_loss=100,
        ack_loss=100,
        limit=120,
        peers=("dnsmasq",),
        quick_size=300_000,
    ),
    Case("1,000 clients, w4", 1000, MB, 4, peers=(), quick_size=MB // 10),
    *(
        lossy(f"{percent} % loss each way, lockstep, worst of 50", percent)
        for percent in (1, 5, 20)
    ),
    lossy("20 % loss each way, w16, worst of 50", 20, window=16),
    lossy("20 % loss on the cable, w16, worst of 50", 20, window=16, wire=True),
    lossy(
        "20 % loss on the cable, w16, no offload, worst of 50",
        20,
        window=16,
        wire=True,
        offload=False,
    ),
)

LOCKSTEP = ("lockstep, 16 clients", "lockstep, 128 clients")
GOALS: dict[str, Goal] = {
    "w16_16_throughput": (">=", 3.0),
    "w16_16_cpu": ("<=", 0.25),
    "w16_128_throughput": (">=", 3.0),
    "w16_128_cpu": ("<=", 0.25),
    "w64_1_throughput": (">=", 2.2),
    "w64_1_cpu": ("<=", 0.2),
    "w16_16_no_offload_throughput": (">=", 3.0),
    "w16_16_no_offload_cpu": ("<=", 0.3),
    "w4_16_throughput": (">=", 1.9),
    "w4_16_cpu": ("<=", 0.55),
    "lockstep_16_efficiency_to_dnsmasq": (">=", 0.97),
    "lockstep_16_efficiency_to_tftpd_hpa": (">=", 1.3),
    "lockstep_16_efficiency_to_atftpd": (">=", 1.3),
    "lockstep_128_efficiency_to_dnsmasq": (">=", 0.97),
    "lockstep_128_efficiency_to_tftpd_hpa": (">=", 1.3),
    "lockstep_128_efficiency_to_atftpd": (">=", 1.3),
    "loss_gap_goodput_to_best": (">=", 2.5),
    "loss_gap_goodput_to_dnsmasq": (">=", 20.0),
    "loss_block_goodput_to_best": (">=", 2.5),
    "loss_block_goodput_to_dnsmasq": (">=", 20.0),
    "loss_each_way_seconds": ("<=", 5.0),
    "clients_1000_failed": ("<=", 0),
    "clients_1000_wrong_bytes": ("<=", 0),
    "clients_1000_slowest_to_mean": ("<=", 5.0),
    "memory_per_client": ("<=", 8 * 1024),
    "memory_of_process": ("<=", 40 * MB),
    **{figure: ("<=", seconds) for figure, (_, seconds) in WORST.items()},
    "worst_failed_or_wrong": ("<=", 0),
}


@dataclass
class Measured:
    """One server in one case, over the rounds."""

    throughput: Series = field(default_factory=Series)  # MB/s
    processor: Series = field(default_factory=Series)  # seconds per GB
    client: Series = field(default_factory=Series)  # the client's own
    seconds: Series = field(default_factory=Series)
    memory: Series = field(default_factory=Series)  # bytes at the end
    failed: int = 0
    wrong: int = 0
    slowest: float = 0.0  # by the mean
    worst: float = 0.0  # seconds of the slowest transfer


Results = dict[str, dict[str, Measured]]


class Bench:
    """The network with all servers, and the client."""

    def __init__(self, network: BenchNetwork, program: Path) -> None:
        self.network = network
        self.program = program
        self.files = network.folder / "files"
        self.files.mkdir()
        self.files.chmod(0o755)
        network.folder.chmod(0o755)
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
        """Start a server and wait until it serves; leave out what could not be fetched."""
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
        case = Case("", 1, 1, 1, limit=0.5)
        return bool(self.fetch(server, case)["failed"] == 0)

    def fetch(self, server: Server, case: Case, first_client: str = FIRST_CLIENT) -> dict[str, Any]:
        """Let the crowd of a case fetch its file from a server."""
        name = self.file(case.size)
        return self.network.client(
            str(self.program),
            *("-s", server.address, "-n", str(case.clients), "-i", first_client),
            *("-f", name, "-r", str(self.files / name)),
            *("-b", str(case.block_size), "-w", str(case.window), "-m", case.manner),
            *("-l", str(case.data_loss), "-a", str(case.ack_loss), "-t", str(case.limit)),
            timeout=case.limit + 60,
        )

    def measure(self, server: Server, case: Case, into: Measured) -> None:
        """One round of one case with one server."""
        before = server.seconds()
        got = self.fetch(server, case)
        used = server.seconds() - before
        gigabytes = max(got["bytes"], 1) / 1e9
        into.throughput.values.append(got["bytes"] / 1e6 / got["seconds"])
        into.processor.values.append(used / gigabytes)
        into.client.values.append(got["cpu"] / gigabytes)
        into.seconds.values.append(got["seconds"])
        into.memory.values.append(server.memory())
        into.failed += got["failed"]
        into.wrong += got["wrong"]
        into.slowest = max(into.slowest, got["slowest"] / got["mean"])
        into.worst = max(into.worst, got["slowest"])


def commands(files: Path) -> dict[str, Sequence[str] | None]:
    """How each server is started."""
    hpa = debian_program("in.tftpd", "tftpd-hpa", "libwrap0")
    atftpd = debian_program("atftpd", "atftpd", "libwrap0", "libpcre2-8-0")
    dnsmasq = debian_program("dnsmasq", "dnsmasq-base")
    python = python_with("tftpy==0.8.7", "tftp==0.2.1")
    root = str(files)
    tftp = (
        f"import tftp; tftp.TFTPServer({root!r}, listen='{{address}}', port=69,"
        " max_sessions=2000).serve_forever()"
    )
    tftpy = f"import tftpy; tftpy.TftpServer({root!r}).listen('{{address}}', 69)"
    return {
        OURS: [sys.executable, "-m", "tests.bench.tftp_server", "{address}", root],
        "dnsmasq": dnsmasq
        and [
            *(*dnsmasq, "-k", "--port=0", "--conf-file=/dev/null", "--pid-file", "--user=root"),
            *("--bind-interfaces", "--listen-address={address}", "--enable-tftp"),
            *(f"--tftp-root={root}", "--tftp-max=1100", "--log-facility=/dev/null"),
        ],
        "tftpd-hpa": hpa
        and [*hpa, "-L", "--address", "{address}:69", "--secure", "--user", "root", root],
        "atftpd": atftpd
        and [
            *(*atftpd, "--daemon", "--no-fork", "--bind-address", "{address}", "--port", "69"),
            *("--user", "root.root", "--maxthread", "1100", "--logfile", "/dev/null"),
            *("--verbose=0", root),
        ],
        "tftpy": python and [python, "-c", tftpy],
        "tftp 0.2.1": python and [python, "-c", tftp],
    }


def run_case(bench: Bench, case: Case, rounds: int) -> dict[str, Measured]:
    """All servers of a case, in turns, of which each begins one; the first round is thrown away.

    A server whose first round takes long is far from the best, and is not asked again.
    """
    bench.network.offload(on=case.offload)
    bench.network.lose(case.wire_loss)
    names = [name for name in (OURS, *case.peers) if name in bench.servers]
    measured = {name: Measured() for name in names}
    warm_up = rounds > 1 and not case.data_loss
    rounds += case.more_rounds if rounds > 1 else 0
    for number in range(rounds + warm_up):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            into = Measured() if number < warm_up else measured[name]
            bench.measure(bench.servers[name], case, into)
            if number == 0 and name != OURS and into.seconds.values[0] > LONG:
                measured[name] = into
                names.remove(name)
    show(case, measured)
    return measured


def show(case: Case, measured: dict[str, Measured]) -> None:
    """A case's table."""
    rows = [
        [
            name,
            one.throughput.text(),
            one.processor.text(2),
            f"{one.client.median:.2f}",
            f"{(one.memory.median or 0) / MB:.1f}",
            f"{one.failed}/{one.wrong}",
            f"{one.slowest:.1f}",
            f"{one.worst:.1f}",
        ]
        for name, one in measured.items()
    ]
    columns = [
        "server",
        "MB/s",
        "CPU s/GB",
        "client s/GB",
        "own MB",
        "failed/wrong",
        "slowest/mean",
        "worst s",
    ]
    title = f"{case.name} ({case.clients} x {case.size / MB:g} MB, blksize {case.block_size})"
    print_table(title, columns, rows)


def memory_per_client(bench: Bench, clients: int) -> tuple[float, float]:
    """Bytes that each of so many clients in the middle of a transfer costs, and the whole.

    Asked of a server that has served nobody before: later its heap has room already.
    """
    server = bench.servers[OURS]
    idle = server.memory()
    # Nearly all DATA is lost, so that every client is still there when we look. Their addresses are
    # not those of the cases: to clients that met silence the server offers smaller blocks.
    stalled = Case("", clients, 20 * MB, 16, data_loss=9_990, limit=2.0)
    crowd = threading.Thread(target=bench.fetch, args=(server, stalled, "10.98.128.1"))
    crowd.start()
    time.sleep(1.5)
    held = server.memory()
    crowd.join()
    return max(0.0, (held - idle) / clients), float(held)


def best(measured: dict[str, Measured], what: str) -> float | None:
    """The best peer's median."""
    medians = [
        getattr(one, what).median
        for name, one in measured.items()
        if name != OURS and not one.failed and not one.wrong
    ]
    if not medians:
        return None
    return max(medians) if what == "throughput" else min(medians)


def figures_of(results: Results, memory: tuple[float, float]) -> dict[str, float | None]:
    """The ratios that the goals speak of."""
    figures: dict[str, float | None] = {}
    for key, case in {
        "w16_16": "w16, 16 clients",
        "w16_128": "w16, 128 clients",
        "w64_1": "w64, 1 client",
        "w16_16_no_offload": "w16, 16 clients, no offload",
        "w4_16": "w4, 16 clients",
    }.items():
        measured = results.get(case, {})
        for what, name in (("throughput", "throughput"), ("cpu", "processor")):
            ours = getattr(measured[OURS], name).median if measured else None
            figures[f"{key}_{what}"] = ratio(ours, best(measured, name))
    for key, case in zip(("lockstep_16", "lockstep_128"), LOCKSTEP, strict=True):
        for peer in ("dnsmasq", "tftpd-hpa", "atftpd"):
            figure = f"{key}_efficiency_to_{peer.replace('-', '_')}"
            figures[figure] = _to(results, case, peer, "processor", inverse=True)
    for manner, case in (("gap", "one ACK a gap"), ("block", "an ACK a block")):
        measured = results.get(f"1 % loss, w16, {case}", {})
        ours = measured[OURS].throughput.median if measured else None
        rates = [one.throughput.median or 0 for name, one in measured.items() if name != OURS]
        figures[f"loss_{manner}_goodput_to_best"] = ratio(ours, max(rates, default=None))
        figures[f"loss_{manner}_goodput_to_dnsmasq"] = _to(
            results, f"1 % loss, w16, {case}", "dnsmasq", "throughput"
        )
    each_way = results.get("1 % loss each way, lockstep", {}).get(OURS)
    figures["loss_each_way_seconds"] = each_way.seconds.median if each_way else None
    crowd = results.get("1,000 clients, w4", {}).get(OURS)
    figures["clients_1000_failed"] = crowd.failed if crowd else None
    figures["clients_1000_wrong_bytes"] = crowd.wrong if crowd else None
    figures["clients_1000_slowest_to_mean"] = crowd.slowest if crowd else None
    lossy_ones = {key: results[name][OURS] for key, (name, _) in WORST.items() if name in results}
    figures |= {key: lossy_ones[key].worst if key in lossy_ones else None for key in WORST}
    figures["worst_failed_or_wrong"] = (
        sum(one.failed + one.wrong for one in lossy_ones.values()) if lossy_ones else None
    )
    figures["memory_per_client"], held = memory
    served = [one[OURS].memory.values for one in results.values() if OURS in one]
    figures["memory_of_process"] = max(held, *(max(values) for values in served))
    return figures


def _to(
    results: Results, case: str, peer: str, what: str, *, inverse: bool = False
) -> float | None:
    measured = results.get(case, {})
    if OURS not in measured or peer not in measured:
        return None
    ours, theirs = (getattr(measured[name], what).median for name in (OURS, peer))
    return ratio(theirs, ours) if inverse else ratio(ours, theirs)


def details_of(results: Results) -> dict[str, Any]:
    """All medians with their ranges, for the results file."""
    return {
        case: {
            name: {
                "throughput_mb_s": one.throughput.values,
                "cpu_s_per_gb": one.processor.values,
                "client_cpu_s_per_gb": one.client.values,
                "memory_bytes": one.memory.values,
                "worst_seconds": one.worst,
                "failed": one.failed,
                "wrong": one.wrong,
            }
            for name, one in measured.items()
        }
        for case, measured in results.items()
    }


def chosen(names: Sequence[str] | None, *, quick: bool) -> list[Case]:
    """The cases asked for; small ones for a quick look."""
    cases = [case for case in CASES if not names or any(part in case.name for part in names)]
    if not quick:
        return cases
    return [replace(case, size=case.quick_size, limit=min(case.limit, 2.0)) for case in cases]


def main() -> None:
    """Measure, print, conclude."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="less than a minute, for a look")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--case", action="append", help="only cases whose name contains this")
    asked = parser.parse_args()
    if os.geteuid():
        sys.exit("Network namespaces need root: sudo make bench-tftp")
    rounds = 1 if asked.quick else asked.rounds
    program = compile_client("tftp_load.c")
    results: Results = {}
    leave_nothing_behind()
    with BenchNetwork() as network:
        bench = Bench(network, program)
        for name, command in commands(bench.files).items():
            bench.start(name, command)
        memory = memory_per_client(bench, 1000)
        for case in chosen(asked.case, quick=asked.quick):
            results[case.name] = run_case(bench, case, rounds)
    conclude(
        "tftp",
        figures_of(results, memory),
        GOALS,
        details=details_of(results),
        quick=asked.quick,
    )


if __name__ == "__main__":
    main()
