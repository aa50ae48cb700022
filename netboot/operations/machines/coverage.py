"""Coverage: which machines an image will bring up, before they boot.

The recipe is what the next version will hold; the served version may hold less. Both can be asked
for. All is computed from the current rows, which takes a while for a whole fleet: pages show what
the worker stored (`fleet_results`).
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from netboot.images.architecture import Architecture
from netboot.images.coverage import (
    LAB_PE_INBOX,
    MAY_COUNT,
    WINDOWS_PE_INBOX,
    Coverage,
    ImageDrivers,
    Machine,
    MachineCoverage,
    Status,
    inbox,
    wanted_ids,
)
from netboot.images.drivers.device import Device
from netboot.images.drivers.driver import Driver
from netboot.images.drivers.inbox import inside
from netboot.images.drivers.matching import NEWEST, DriverIndex, Match
from netboot.operations.images import images
from netboot.operations.images.images import ImageView
from netboot.operations.machines.image_choice import Decide, boots_from_network, decider
from netboot.operations.machines.machines import KnownMachine, find_machines_named, list_machines
from netboot.site import Site
from netboot.store.database.records import DriverRow
from netboot.store.drivers.rows import claimants, load_drivers, load_packages

IN_A_QUERY = 500


@dataclass(frozen=True, slots=True)
class Outlook:
    """The image that a machine gets at its next boot, and its coverage."""

    image: str
    coverage: MachineCoverage


def coverage(site: Site, image: str, *, everybody: bool = False, served: bool = False) -> Coverage:
    """An image against the machines that would get it, or against all with `everybody`.

    It judges the recipe, or with `served` the version that machines get now; imported device lists
    always count. Raises NotFound.
    """
    view, known = images.get_image(site, image), list_machines(site)
    if not everybody:
        known = meant_for(view.name, known, decider(site))
    drivers = Shelf(site, known, [view]).drivers_of(view, served=served, weighed=True)
    return drivers.cover(machine.as_machine() for machine in known)


def meant_for(image: str, machines: Iterable[KnownMachine], decide: Decide) -> list[KnownMachine]:
    """The machines that would get the image, and the imported device lists."""
    return [
        machine
        for machine in machines
        if not boots_from_network(machine) or image in decide(machine).images
    ]


def outlook(site: Site) -> dict[str, Outlook]:
    """What becomes of each machine that boots now, by its key; of those that get an image."""
    by_image: dict[str, list[KnownMachine]] = {}
    decide = decider(site)
    for machine in list_machines(site):
        if chosen := decide(machine).images:
            by_image.setdefault(chosen[0], []).append(machine)
    views = [view for view in images.list_images(site) if view.name in by_image]
    shelf = Shelf(site, [one for known in by_image.values() for one in known], views)
    found: dict[str, Outlook] = {}
    for view in views:
        known = by_image[view.name]
        driven = shelf.drivers_of(view, served=True).drive([one.devices for one in known])
        for machine, what in zip(known, driven, strict=True):
            found[machine.key] = Outlook(view.name, MachineCoverage(machine.as_machine(), what))
    return found


def lacking(found: Iterable[Outlook]) -> int:
    """How many of the machines would boot without a network driver."""
    return sum(one.coverage.network is Status.LACKING for one in found)


def machine_coverage(
    site: Site, image: str | ImageView, machine: KnownMachine, *, served: bool = False
) -> MachineCoverage:
    """What an image does for one machine, whether it would get it or not.

    Its recipe is asked, or with `served` the version that machines get now. Raises NotFound.
    """
    view = images.get_image(site, image) if isinstance(image, str) else image
    drivers = Shelf(site, [machine], [view]).drivers_of(view, served=served)
    return drivers.cover([machine.as_machine()]).machines[0]


def machines_coverage(
    site: Site, view: ImageView, names: Collection[str], *, served: bool = False
) -> tuple[MachineCoverage, ...]:
    """As `machine_coverage`, for several machines by key; unknown keys are left out."""
    known = find_machines_named(site, names)
    drivers = Shelf(site, known, [view]).drivers_of(view, served=served)
    return drivers.cover(machine.as_machine() for machine in known).machines


def candidates(
    site: Site, device: Device, architecture: Architecture, *, build: int = 0
) -> list[Match]:
    """The drivers for a device, enabled or not, best first; `build` 0 is the newest Windows PE."""
    build = build or NEWEST
    with site.database.transaction() as session:
        claiming = _claiming(session, wanted_ids([Machine("", (device,))], build))
    return DriverIndex(claiming).matches(device, architecture, build=build)


def fix(site: Site, image: str, *drivers: str) -> ImageView:
    """Enable drivers and add them to the image's recipe. Raises what `add_drivers` raises."""
    return images.add_drivers(site, image, drivers, enable=True)


def fix_all(site: Site, image: str, *, everybody: bool = False) -> tuple[Driver, ...]:
    """Add the best driver for each device that lacks one; returns them. Raises as `fix`."""
    drivers = tuple(driver for driver, _ in coverage(site, image, everybody=everybody).fixes)
    fix(site, image, *(driver.digest for driver in drivers))
    return drivers


def remove_unneeded(site: Site, image: str, *, everybody: bool = False) -> tuple[Driver, ...]:
    """Remove the drivers that no machine needs from the recipe; returns them."""
    found = coverage(site, image, everybody=everybody).unneeded
    drivers = tuple(weight.driver for weight in found)
    images.remove_drivers(site, image, [driver.digest for driver in drivers])
    return drivers


class Shelf:
    """The drivers for some machines, read once for all images that they may get.

    In a large catalog a few thousand drivers claim an id of some machine; only the models that do
    are read.
    """

    def __init__(
        self, site: Site, machines: Iterable[KnownMachine], views: Iterable[ImageView]
    ) -> None:
        lists = {id(machine.devices): machine.devices for machine in machines}
        devices = {one for devices in lists.values() for one in devices if one.kind in MAY_COUNT}
        wanted = [Machine("", tuple(devices))]
        builds = {view.facts.build or NEWEST for view in views}
        ids = frozenset().union(*(wanted_ids(wanted, build) for build in builds))
        self._site = site
        with site.database.transaction() as session:
            claiming = _claiming(session, ids)
        self._claiming = {driver.digest: driver for driver in claiming}
        self._index = DriverIndex(claiming)

    def drivers_of(self, view: ImageView, *, served: bool, weighed: bool = False) -> ImageDrivers:
        """The drivers of an image's recipe, or with `served` of the version that machines get.

        Drivers that no machine needs are read only to be `weighed`.
        """
        digests = _digests(view, served=served)
        meant = [self._claiming[digest] for digest in digests if digest in self._claiming]
        index = DriverIndex((*meant, *_inside(view)))
        added: tuple[Driver, ...] = ()
        if weighed:
            with self._site.database.transaction() as session:
                found = load_packages(session, digests)
            # A version outlives its drivers: some may be gone from the catalog.
            added = tuple(found[digest] for digest in digests if digest in found)
        build = view.facts.build or NEWEST
        return ImageDrivers(added, index, view.architecture, build, self._index)


def _digests(view: ImageView, *, served: bool) -> list[str]:
    if not served:
        return [driver.digest for driver in view.drivers]
    version = view.version(view.served_version) if view.served_version else None
    return [driver.digest for driver in version.drivers] if version else []


def _inside(view: ImageView) -> tuple[Driver, ...]:
    """The drivers inside the source: its own INFs, or the usual ones if none were read."""
    if view.is_lab:
        return (inbox(LAB_PE_INBOX, view.architecture),)
    return inside(view.facts.inbox, view.architecture) or (
        inbox(WINDOWS_PE_INBOX, view.architecture),
    )


def _claiming(session: Session, ids: frozenset[str]) -> list[Driver]:
    """The drivers that claim any of these ids, with the models that do."""
    numbers = sorted(claimants(session, ids))
    return [
        driver
        for at in range(0, len(numbers), IN_A_QUERY)
        for driver in load_drivers(
            session, DriverRow.id.in_(numbers[at : at + IN_A_QUERY]), claiming=ids
        )
    ]
