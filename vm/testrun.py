"""One boot, from switching on to the verdict."""

import socket
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from vm.machine.console import LabLine, lab_lines
from vm.machine.spec import MachineSpec
from vm.machine.virtual_machine import DEFAULT_LIMITS, Ending, Limits, Machine, Run
from vm.network.lab_network import LabNetwork
from vm.verdict import Evidence, Report, Verdict, judge


class Reports(Protocol):
    """The server's side of the evidence (see vm.reports)."""

    def arrived(self, macs: Collection[str], *, expected: bool) -> tuple[Report, ...]:
        """The new reports from these addresses; waits a while if one is `expected`."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A boot: the verdict and the evidence."""

    spec: MachineSpec
    verdict: Verdict
    run: Run


def try_boot(
    spec: MachineSpec,
    network: LabNetwork,
    work: Path,
    *,
    reports: Reports,
    accelerator: str,
    limits: Limits = DEFAULT_LIMITS,
    on_line: Callable[[LabLine], None] = lambda _line: None,
    on_screen: Callable[[Path], None] | None = None,
    leash: socket.socket | None = None,
) -> Tried:
    """Boot a machine and judge it; `reports` must exist before. Raises OperatorFault."""
    with Machine(spec, network, work, accelerator=accelerator) as machine:
        run = machine.run(limits, on_line, on_screen=on_screen, leash=leash)
    lines = lab_lines(run.serial)
    says_online = any(line.key == "DONE" and "result=online" in line.rest for line in lines)
    macs = {spec.boot_mac, spec.tested_mac}
    evidence = Evidence(
        lines=lines,
        done=run.ending is Ending.DONE,
        words=run.words,
        device=spec.nic.pci_id,
        reports=reports.arrived(macs, expected=says_online),
    )
    return Tried(spec, judge(evidence), run)
