"""A real Windows PE, which whoever has one supplies, through the scenarios of Microsoft's chain.

`NETBOOT_TEST_WINPE` names its WIM; `NETBOOT_TEST_WINPE_DRIVERS` a folder with drivers for it, for
cards that it does not know (virtio). Windows is not ours to ship: without the file nothing of
this is run, and the tests say so.

What counts: the image went to the machine whole, and then Windows itself spoke on the network:
it posted a report, or asked for an address under the name that only Windows' DHCP client bears.
"""

import os
import socket
from dataclasses import replace
from pathlib import Path

from netboot.boot.told.events import PeReported, TransferFinished
from netboot.errors import InvalidInput
from netboot.images.architecture import Architecture
from netboot.operations.drivers import importing as driver_import
from netboot.operations.images import boot_chain, images
from netboot.operations.points import points
from netboot.operations.versions import versions
from netboot.site import Site
from vm.machine.virtual_machine import Limits, Machine
from vm.machine.witness import WINDOWS_ASKED
from vm.matrix import Laboratory
from vm.network.lab_network import Slot
from vm.scenario import Scenario

VARIABLE = "NETBOOT_TEST_WINPE"
DRIVERS_VARIABLE = "NETBOOT_TEST_WINPE_DRIVERS"
IMAGE = "Windows PE under test"
MEMORY = 2048
LIMITS = Limits(silence=900, wall=3000, processor=2400)
KNOWN_CARDS = frozenset({"e1000"})
"""Cards that every Windows PE has a driver for."""


def supplied_image() -> Path | None:
    """The WIM that somebody supplied; None where nobody did. Raises InvalidInput."""
    name = os.environ.get(VARIABLE, "")
    if not name:
        return None
    path = Path(name)
    if not path.is_file():
        raise InvalidInput(f"{VARIABLE} names no file: {name}", hint="Name a boot.wim.")
    return path


def provide(site: Site, wim: Path) -> Architecture:
    """Import the image with its drivers, have it started by Microsoft's chain, serve it."""
    view = images.import_image(site, wim, name=IMAGE)
    folder = os.environ.get(DRIVERS_VARIABLE, "")
    if folder:
        report = driver_import.import_drivers(site, Path(folder))
        for driver in (*report.new, *report.duplicates):
            if view.architecture in driver.architectures:
                images.add_drivers(site, IMAGE, (driver.digest,), enable=True)
    boot_chain.prefer_chain(site, IMAGE, chains={"bios": "native", "uefi": "native"})
    versions.build_version(site, IMAGE)
    points.update_distribution_points(site, IMAGE)
    images.set_default(site, IMAGE)
    return view.architecture


def boot(scenario: Scenario, laboratory: Laboratory, site: Site) -> str:
    """Boot it as the scenario says; an empty string, or why it did not come up."""
    began = site.journal.last_id()
    near, far = socket.socketpair()
    spec = replace(scenario.machine(Slot(0)), memory=MEMORY)
    machine = Machine(
        spec,
        laboratory.network,
        laboratory.work / scenario.key,
        accelerator=laboratory.accelerator(scenario.firmware),
    )
    machine.witness.on_stage = lambda stage: _ring(far, stage)
    with near, far, machine:
        run = machine.run(LIMITS, leash=near)
    events = [entry.event for entry in site.journal.events_since(began, 100_000)]
    sent = any(
        isinstance(one, TransferFinished) and one.name.lower().endswith("boot.wim")
        for one in events
    )
    reported = any(isinstance(one, PeReported) for one in events)
    if not sent:
        return f"its image was never sent whole: {run.words}; {', '.join(run.stages)}"
    knows_card = scenario.nic.name in KNOWN_CARDS or DRIVERS_VARIABLE in os.environ
    if knows_card and not reported and WINDOWS_ASKED not in run.stages:
        return f"it got its image, and was silent then: {run.words}; see {run.screenshot}"
    return ""


def _ring(bell: socket.socket, stage: str) -> None:
    if stage == WINDOWS_ASKED:
        bell.send(b"!")
