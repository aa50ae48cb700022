"""A boot test as five lines of data: which machine boots, and when.

`phases` names the steps of the administrator's work after which the machine boots:

    without   nothing was done: offline, on the version that is served
    pending   driver added, version built, points not updated: still offline on the old version
    with      points updated: online with that driver, on the new version

`chain` is the image's boot chain; scenarios of one chain share a site. `assigned` assigns the image
to the machine by its MAC address: a BIOS machine then gets Microsoft's program at once, because
its processor need not be found out first.
"""

import tomllib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from netboot.errors import InvalidInput
from vm.machine.firmware import FirmwareKind, Nic, find_firmware, find_nic
from vm.machine.spec import MachineSpec
from vm.network.lab_network import Slot
from vm.verdict import Result, Verdict

FOLDER = Path(__file__).with_name("scenarios")
_KEYS = {"name", "firmware", "nic", "phases", "plain_pxe", "memory", "chain", "assigned"}


class Phase(StrEnum):
    """A step of the administrator's work."""

    WITHOUT = "without"
    PENDING = "pending"
    WITH = "with"


@dataclass(frozen=True, slots=True)
class Scenario:
    """One machine and the phases in which it boots; `key` is the file's name."""

    key: str
    name: str
    firmware: FirmwareKind
    nic: Nic
    phases: tuple[Phase, ...] = (Phase.WITHOUT, Phase.WITH)
    plain_pxe: bool = False
    memory: int = 512
    chain: str = ""
    assigned: bool = False

    def machine(self, slot: Slot) -> MachineSpec:
        """The same slot gives the same machine."""
        return MachineSpec(
            self.firmware, self.nic, slot, memory=self.memory, plain_pxe=self.plain_pxe
        )


def load_scenarios(folder: Path = FOLDER) -> tuple[Scenario, ...]:
    """All scenarios of a folder, by name. Raises InvalidInput."""
    return tuple(_load(path) for path in sorted(folder.glob("*.toml")))


def _load(path: Path) -> Scenario:
    try:
        return parse_scenario(path.stem, tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, KeyError, ValueError, InvalidInput) as error:
        raise InvalidInput(f"{path.name} is not a valid scenario: {error}") from error


def parse_scenario(key: str, data: dict[str, Any]) -> Scenario:
    """The scenario in a TOML table. Raises KeyError, ValueError, InvalidInput."""
    unknown = set(data) - _KEYS
    if unknown:
        raise ValueError(f"unknown keys: {', '.join(sorted(unknown))}")
    return Scenario(
        key=key,
        name=str(data["name"]),
        firmware=find_firmware(data["firmware"]),
        nic=find_nic(data["nic"]),
        phases=tuple(Phase(word) for word in data.get("phases", ("without", "with"))),
        plain_pxe=bool(data.get("plain_pxe", False)),
        memory=int(data.get("memory", 512)),
        chain=str(data.get("chain", "")),
        assigned=bool(data.get("assigned", False)),
    )


@dataclass(frozen=True, slots=True)
class Expectation:
    """The verdict that a boot should get."""

    result: Result
    version: int
    driver: str = ""
    missing: str = ""


def expect(scenario: Scenario, phase: Phase, *, served: int) -> Expectation:
    """The expected result of a boot now; `served` is the number of the version served."""
    if phase is Phase.WITH:
        return Expectation(Result.ONLINE, served, driver=f"{scenario.nic.package}.inf")
    return Expectation(Result.OFFLINE, served, missing=f"net:{scenario.nic.pci_id}")


def compare(expected: Expectation, verdict: Verdict) -> str:
    """How the verdict differs from the expectation; empty if it does not."""
    if verdict.result is not expected.result:
        return f"{verdict.result.value} instead of {expected.result.value}: {verdict.reason}"
    if verdict.version != expected.version:
        return f"it ran version {verdict.version} instead of {expected.version}"
    if verdict.driver != expected.driver:
        return f"driver {verdict.driver!r} instead of {expected.driver!r}"
    if expected.missing and expected.missing not in verdict.missing.split():
        return f"{expected.missing} should be missing, but it said: {verdict.missing!r}"
    return ""
