"""The boot tests: each scenario through the whole procedure, two machines at a time.

    boot `without`  ->  add drivers, build  ->  boot `pending`  ->  update points  ->  boot `with`

A scenario uses the same machine in each phase. A boot that fails is not repeated.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from netboot.errors import OperatorFault, explained
from netboot.images.architecture import Architecture
from vm.machine.firmware import FirmwareKind
from vm.network.lab_network import LabNetwork, Slot
from vm.scenario import Phase, Scenario, compare, expect
from vm.testrun import Reports, Tried, try_boot

MACHINES_AT_ONCE = 2


class Site(Protocol):
    """What the boot tests ask of the administrator (see vm.administrator)."""

    def add_driver(self, architecture: Architecture, package: str) -> None: ...

    def prefer(self, architecture: Architecture, chain: str) -> None:
        """Choose the boot chain of the default image, and serve a version that uses it."""

    def assign(self, architecture: Architecture, mac: str) -> None: ...

    def build(self, architecture: Architecture) -> int: ...

    def update_points(self, architecture: Architecture) -> None: ...

    def served(self, architecture: Architecture) -> int: ...


@dataclass(frozen=True, slots=True)
class Boot:
    """One boot of a scenario. `wrong` says what differs from the expectation, if anything."""

    scenario: Scenario
    phase: Phase
    tried: Tried | None
    wrong: str

    @property
    def name(self) -> str:
        return f"{self.scenario.key} {self.phase.value}"

    @property
    def seconds(self) -> float:
        return self.tried.run.wall_seconds if self.tried else 0.0


@dataclass(frozen=True, slots=True)
class Laboratory:
    """Where the boot tests run. `reports` begins to collect reports (see vm.reports)."""

    network: LabNetwork
    site: Site
    work: Path
    reports: Callable[[], Reports]
    accelerator: Callable[[FirmwareKind], str]


def run_matrix(
    scenarios: Sequence[Scenario],
    laboratory: Laboratory,
    on_boot: Callable[[Boot], None] = lambda _boot: None,
) -> tuple[Boot, ...]:
    """Boot every machine in every phase; calls `on_boot` after each."""
    site = laboratory.site
    needed = sorted({(each.firmware.architecture, each.nic.package) for each in scenarios})
    architectures = sorted({architecture for architecture, _ in needed})
    runner = _Runner(scenarios, laboratory, on_boot)
    runner.prepare(architectures)
    boots = runner.run(Phase.WITHOUT)
    for architecture, package in needed:
        site.add_driver(architecture, package)
    for architecture in architectures:
        site.build(architecture)
    boots += runner.run(Phase.PENDING)
    for architecture in architectures:
        site.update_points(architecture)
    return tuple(boots + runner.run(Phase.WITH))


class _Runner:
    def __init__(
        self,
        scenarios: Iterable[Scenario],
        laboratory: Laboratory,
        on_boot: Callable[[Boot], None],
    ) -> None:
        self._slots = {scenario: Slot(number) for number, scenario in enumerate(scenarios)}
        self._laboratory = laboratory
        self._on_boot = on_boot

    def prepare(self, architectures: Sequence[Architecture]) -> None:
        """Set the boot chain (all scenarios of a run share one) and the assignments."""
        site = self._laboratory.site
        for chain in {scenario.chain for scenario in self._slots} - {""}:
            for architecture in architectures:
                site.prefer(architecture, chain)
        for scenario, slot in self._slots.items():
            if scenario.assigned:
                site.assign(scenario.firmware.architecture, scenario.machine(slot).boot_mac)

    def run(self, phase: Phase) -> list[Boot]:
        due = [scenario for scenario in self._slots if phase in scenario.phases]
        served = {
            architecture: self._laboratory.site.served(architecture)
            for architecture in {scenario.firmware.architecture for scenario in due}
        }
        with ThreadPoolExecutor(MACHINES_AT_ONCE) as pool:
            return list(
                pool.map(
                    lambda each: self._boot(each, phase, served[each.firmware.architecture]), due
                )
            )

    def _boot(self, scenario: Scenario, phase: Phase, served: int) -> Boot:
        laboratory = self._laboratory
        try:
            tried = try_boot(
                scenario.machine(self._slots[scenario]),
                laboratory.network,
                laboratory.work / f"{scenario.key}-{phase.value}",
                reports=laboratory.reports(),
                accelerator=laboratory.accelerator(scenario.firmware),
            )
            wrong = compare(expect(scenario, phase, served=served), tried.verdict)
            boot = Boot(scenario, phase, tried, wrong)
        except OperatorFault as fault:
            boot = Boot(scenario, phase, None, explained(fault))
        self._on_boot(boot)
        return boot
