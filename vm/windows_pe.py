"""A real Windows PE that the administrator supplies, in the scenarios of Microsoft's boot chain.

`NETBOOT_TEST_WINPE` names its WIM, `NETBOOT_TEST_WINPE_DRIVERS` a folder with drivers for network
cards that it does not know (virtio). The project may not distribute Windows: without the file
these tests are skipped, and say so.

A boot counts if the machine received the whole image and Windows then used the network: it posted a
report, or asked for an address as Windows' own DHCP client does.
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
    """The WIM that the variable names; None if it is not set. Raises InvalidInput."""
    name = os.environ.get(VARIABLE, "")
    if not name:
        return None
    path = Path(name)
    if not path.is_file():
        raise InvalidInput(
            f"{VARIABLE} does not name a file: {name}", hint="Set it to the path of a boot.wim."
        )
    return path


def provide(site: Site, wim: Path) -> Architecture:
    """Import the image with its drivers, choose Microsoft's boot chain, serve it."""
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
    """Boot it as the scenario says; returns why it did not start, or an empty string."""
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
        return f"its image was not sent completely: {run.words}; {', '.join(run.stages)}"
    knows_card = scenario.nic.name in KNOWN_CARDS or DRIVERS_VARIABLE in os.environ
    if knows_card and not reported and WINDOWS_ASKED not in run.stages:
        return f"it received its image, then was silent: {run.words}; see {run.screenshot}"
    return ""


def _ring(bell: socket.socket, stage: str) -> None:
    if stage == WINDOWS_ASKED:
        bell.send(b"!")
