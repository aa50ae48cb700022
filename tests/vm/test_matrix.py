"""The order of the matrix's work; real machines go through it in test_proof.py."""

import threading
from pathlib import Path

import pytest

from netboot.errors import OperatorFault
from vm import matrix
from vm.matrix import Laboratory, run_matrix
from vm.network.lab_network import Slot
from vm.scenario import Phase, parse_scenario
from vm.verdict import Result, Verdict


class FakeSite:
    """Keeps a version per architecture and a diary."""

    def __init__(self):
        self.diary, self.built, self.handed_out = [], {}, {}

    def add_driver(self, architecture, package):
        self.diary.append(f"add {package} to {architecture}")

    def prefer(self, architecture, chain):
        self.diary.append(f"prefer {chain} for {architecture}")

    def assign(self, architecture, mac):
        self.diary.append(f"assign {architecture} to {mac}")

    def build(self, architecture):
        self.diary.append(f"build {architecture}")
        self.built[architecture] = 2
        return 2

    def update_points(self, architecture):
        self.diary.append(f"update {architecture}")
        self.handed_out[architecture] = self.built[architecture]

    def served(self, architecture):
        return self.handed_out.get(architecture, 1)


@pytest.fixture
def site(monkeypatch):
    """A site, and machines that come up as the served version lets them."""
    made = FakeSite()
    lock = threading.Lock()

    def boot(spec, _network, work, *, reports, accelerator):
        with lock:
            made.diary.append(f"boot {work.name}")
        if made.refuse and work.name.startswith(made.refuse):
            raise OperatorFault("no firmware", hint="Install it.")
        version = made.served(spec.firmware.architecture)
        if version == 2:
            verdict = Verdict(
                result=Result.ONLINE, reason="", version=2, driver=f"{spec.nic.package}.inf"
            )
        else:
            missing = f"net:{spec.nic.pci_id}"
            verdict = Verdict(result=Result.OFFLINE, reason="", version=1, missing=missing)
        return matrix.Tried(spec, verdict, None)

    made.refuse = ""
    monkeypatch.setattr(matrix, "try_boot", boot)
    return made


def scenario(key, firmware, nic, *phases):
    return parse_scenario(
        key, {"name": key, "firmware": firmware, "nic": nic, "phases": list(phases)}
    )


SCENARIOS = (
    scenario("a", "bios-x64", "e1000", "without", "pending", "with"),
    scenario("b", "bios-x86", "rtl8139", "without", "with"),
)


def laboratory(site):
    return Laboratory(None, site, Path("work"), reports=lambda: None, accelerator=lambda _kind: "")


def test_the_work_is_done_between_the_boots(site):
    """Without, then drivers and builds, then pending, then the points, then with."""
    boots = run_matrix(SCENARIOS, laboratory(site))

    assert [boot.wrong for boot in boots] == ["", "", "", "", ""]
    assert _sorted_within_phases(site.diary) == [
        "boot a-without",
        "boot b-without",
        "add e1000 to x64",
        "add rtl8139 to x86",
        "build x64",
        "build x86",
        "boot a-pending",
        "update x64",
        "update x86",
        "boot a-with",
        "boot b-with",
    ]


def _sorted_within_phases(diary):
    """Machines of one phase run side by side: their order is not the matrix's promise."""
    return sorted(diary[:2]) + diary[2:-2] + sorted(diary[-2:])


def test_a_machine_that_cannot_be_made_fails_alone(site):
    """The others are booted, and the reason comes with its hint."""
    site.refuse = "a-"
    told = []
    boots = run_matrix(SCENARIOS, laboratory(site), told.append)

    wrong = {boot.name: boot.wrong for boot in boots}
    assert wrong["a without"] == "No firmware. Install it."
    assert wrong["b with"] == ""
    assert len(boots) == len(told)


def test_a_driver_that_is_never_served_is_found_out(site):
    """A machine that stays offline after the update is a failure of that phase."""
    site.update_points = lambda architecture: site.diary.append(f"update {architecture}")
    boots = run_matrix(SCENARIOS, laboratory(site))

    failed = {boot.phase for boot in boots if boot.wrong}
    assert {Phase.WITH} == failed


def test_images_are_made_to_start_as_the_scenarios_say_before_the_first_boot(site):
    """A chain for all of them, and an image for the machine that asks for one of its own."""
    table = {"name": "n", "firmware": "bios-x64", "nic": "e1000", "phases": ["with"]}
    native = parse_scenario("n", {**table, "chain": "native", "assigned": True})
    run_matrix((native,), laboratory(site))

    assert site.diary[:2] == [
        "prefer native for x64",
        f"assign x64 to {native.machine(Slot(0)).boot_mac}",
    ]
