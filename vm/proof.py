"""`python -m vm.proof`: boots every scenario from a new site, in a private network."""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from netboot.errors import OperatorFault
from netboot.site import Site
from netboot.store.media.boot_programs import prepare_programs
from vm import labpe
from vm.administrator import Administrator
from vm.lab import accelerator_for
from vm.matrix import Boot, Laboratory, run_matrix
from vm.network.daemons import wait_until_bound
from vm.network.lab_network import SERVER_ADDRESS, SRV, LabNetwork, stop_process
from vm.reports import JournalReports
from vm.scenario import Scenario, load_scenarios
from vm.tools import refuse


@contextmanager
def site_in_lab(folder: Path, *, capture: bool = False) -> Iterator[Laboratory]:
    """A new site in `folder` that serves the default images. Raises OperatorFault."""
    data = folder / "data"
    administrator = Administrator(data, labpe.ensure())
    administrator.provide_defaults()
    site = Site.open(data)
    prepare_programs(site.point, site.settings.programs, SERVER_ADDRESS)
    with LabNetwork(folder / "network", capture=capture) as network, _daemons(network, site):
        yield Laboratory(
            network,
            administrator,
            folder / "machines",
            reports=lambda: JournalReports(site.journal),
            accelerator=accelerator_for,
        )
        site.journal.close()


@contextmanager
def _daemons(network: LabNetwork, site: Site) -> Iterator[None]:
    netboot = [sys.executable, "-m", "netboot", "--data", str(site.data)]
    boot = [*netboot, "boot", "--address", SERVER_ADDRESS, "--interface", "eth0"]
    http = [*netboot, "http", "--address", SERVER_ADDRESS]
    boot_log, http_log = network.work / "boot.log", network.work / "http.log"
    running = [network.spawn_in(SRV, boot, log=boot_log)]
    try:
        running.append(network.spawn_in(SRV, http, log=http_log))
        wait_until_bound(running[0], boot_log, udp=(67, 69, 4011))
        wait_until_bound(running[1], http_log, tcp=(site.settings.http_port,))
        yield
    finally:
        for process in running:
            stop_process(process)


def prove(
    scenarios: Sequence[Scenario], folder: Path, on_boot: Callable[[Boot], None]
) -> tuple[Boot, ...]:
    """Boot every scenario in every phase, on a site for each chain in `folder`."""
    boots: tuple[Boot, ...] = ()
    for chain in dict.fromkeys(scenario.chain for scenario in scenarios):
        due = [scenario for scenario in scenarios if scenario.chain == chain]
        with site_in_lab(folder / (chain or "best")) as laboratory:
            boots += run_matrix(due, laboratory, on_boot)
    return boots


def main(arguments: list[str]) -> int:
    """Print each boot; 0 if all were as expected, 1 if not, 2 if the lab cannot run."""
    parser = argparse.ArgumentParser(prog="python -m vm.proof", description=__doc__)
    parser.add_argument("scenario", nargs="*", help="names of scenarios (default: all)")
    parser.add_argument("--keep", type=Path, help="keep site, logs and screenshots in this folder")
    chosen = parser.parse_args(arguments)
    scenarios = [
        each for each in load_scenarios() if not chosen.scenario or each.key in chosen.scenario
    ]
    began = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="netboot-proof-") as scratch:
            boots = prove(scenarios, chosen.keep or Path(scratch), _print_boot)
    except OperatorFault as fault:
        return refuse(fault)
    failed = sum(1 for boot in boots if boot.wrong)
    seconds = time.monotonic() - began
    print(f"boots: {len(boots) - failed} passed, {failed} failed, {seconds:.0f} s")
    return 1 if failed or not boots else 0


def _print_boot(boot: Boot) -> None:
    processor = boot.tried.run.processor_seconds if boot.tried else 0.0
    found = boot.tried.verdict if boot.tried else None
    text = f"{found.result.value} v{found.version} {found.driver or found.missing}" if found else ""
    state = f"FAILED: {boot.wrong}" if boot.wrong else text
    print(f"{boot.name:32} {boot.seconds:6.1f} s {processor:6.1f} cpu-s  {state}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
