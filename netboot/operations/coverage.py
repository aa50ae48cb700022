"""Coverage: which machines an image will bring up, told before anything boots.

The recipe is what the next version will hold; what is served now may hold less. Both can be
asked for. What was found is kept until something changes that it depends on; a large fleet is
held against an image beside the pages that show it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Integer, cast, func, select
from sqlalchemy.orm import Session

from netboot.images.architecture import Architecture
from netboot.images.coverage import (
    LAB_PE_INBOX,
    WINDOWS_PE_INBOX,
    Coverage,
    Machine,
    MachineCoverage,
    cover,
    inbox,
    wanted_ids,
)
from netboot.images.device import Device
from netboot.images.driver import Driver
from netboot.images.inbox import inside
from netboot.images.matching import NEWEST, DriverIndex, Match
from netboot.operations import images, policy
from netboot.operations.images import ImageView
from netboot.operations.kept_results import KeptResults
from netboot.operations.machine_images import boots_from_network, decider
from netboot.operations.machines import KnownMachine, list_machines
from netboot.site import Site
from netboot.store.catalog_rows import claimants, load_drivers
from netboot.store.records import DeploymentRow, DriverRow

T = TypeVar("T")

IN_A_QUERY = 500


@dataclass(frozen=True, slots=True)
class Outlook:
    """What becomes of a machine that boots now: the image it gets first, and its coverage."""

    image: str
    coverage: MachineCoverage


def coverage(
    site: Site, image: str, *, everybody: bool = False, served: bool = False, glance: bool = False
) -> Coverage:
    """An image against the machines that would get it, or against all with `everybody`.

    The image's recipe is asked, or with `served` the version that machines get now; lists by
    hand always count. With `glance` machines of the last moments may be missing where the fleet
    is large. Raises NotFound.
    """
    view = images.get_image(site, image)
    number = view.served_version if served else 0
    key = (str(site.data), view.slug, view.row_version, everybody, served, number, _decided(site))

    def compute() -> Coverage:
        known = list_machines(site)
        if not everybody:
            decide = decider(site)
            known = [
                machine
                for machine in known
                if not boots_from_network(machine) or view.name in decide(machine).images
            ]
        return _cover(site, view, known, served=served)

    ask = _kept.lately if glance else _kept.now
    return ask(key, _seen(site), compute)


def outlook_of(site: Site, machines: Iterable[KnownMachine]) -> dict[str, Outlook]:
    """What becomes of these machines if they boot now, by key; of those that get an image.

    Told without fixes.
    """
    decide = decider(site)
    views = {view.name: view for view in images.list_images(site)}
    by_image: dict[str, list[KnownMachine]] = {}
    for machine in machines:
        if chosen := decide(machine).images:
            by_image.setdefault(chosen[0], []).append(machine)
    return {
        one.machine.name: Outlook(image, one)
        for image, known in by_image.items()
        if image in views
        for one in _cover(site, views[image], known, served=True, fixes=False).machines
    }


def outlook(site: Site) -> dict[str, Outlook]:
    """What becomes of each machine that boots now, by its key; of those that get an image."""
    return outlook_of(site, list_machines(site))


def lacking(site: Site) -> int:
    """How many machines would boot without a network driver, as of a moment ago.

    Counted anew at once when a driver, a version or an assignment comes or goes.
    """
    served = tuple(sorted(site.point.numbers().items()))
    return _counted.lately(
        (str(site.data), served, _decided(site)),
        _seen(site),
        lambda: sum(one.coverage.network == "lacking" for one in outlook(site).values()),
    )


def machine_coverage(
    site: Site, image: str, machine: KnownMachine, *, served: bool = False
) -> MachineCoverage:
    """What an image does for one machine, whether it would get it or not.

    Its recipe is asked, or with `served` the version that machines get now. Raises NotFound.
    """
    return _cover(site, images.get_image(site, image), [machine], served=served).machines[0]


def candidates(
    site: Site, device: Device, architecture: Architecture, *, build: int = 0
) -> list[Match]:
    """The catalog's drivers for a device, enabled or not, the one that Windows takes first.

    `build` is that of the Windows PE, 0 for the newest.
    """
    build = build or NEWEST
    ids = wanted_ids([Machine("", (device,))], build)
    with site.database.transaction() as session:
        claiming = _claiming(session, ids)
    return DriverIndex(claiming).matches(device, architecture, build=build)


def fix(site: Site, image: str, *drivers: str) -> ImageView:
    """Enable drivers of the catalog if need be, and add them to the image's recipe.

    Raises what add_drivers raises.
    """
    return images.add_drivers(site, image, drivers, enable=True)


def fix_all(site: Site, image: str, *, everybody: bool = False) -> tuple[Driver, ...]:
    """Add the best driver for each device that lacks one; those that were added.

    Raises what add_drivers raises.
    """
    drivers = tuple(driver for driver, _ in coverage(site, image, everybody=everybody).fixes)
    fix(site, image, *(driver.digest for driver in drivers))
    return drivers


def remove_unneeded(site: Site, image: str, *, everybody: bool = False) -> tuple[Driver, ...]:
    """Take the drivers out of the recipe that no machine needs; those that were removed."""
    found = coverage(site, image, everybody=everybody).unneeded
    drivers = tuple(weight.driver for weight in found)
    images.remove_drivers(site, image, [driver.digest for driver in drivers])
    return drivers


_kept: KeptResults[Coverage] = KeptResults()
_counted: KeptResults[int] = KeptResults()


def _decided(site: Site) -> tuple[Any, ...]:
    """Differs when the catalog or what machines are given differs."""
    enabled = func.sum(cast(DriverRow.enabled, Integer) * DriverRow.id)
    with site.database.transaction() as session:
        drivers = session.execute(select(func.count(), func.max(DriverRow.id), enabled)).one()
        given = session.execute(select(func.count(), func.max(DeploymentRow.changed_at))).one()
    return (*drivers, *given, *sorted(policy.defaults(site).items()))


def _seen(site: Site) -> tuple[Any, ...]:
    """Differs when machines are others than before, or have other devices."""
    return (site.machines.fleet().shape,)


def _cover(
    site: Site,
    view: ImageView,
    known: Sequence[KnownMachine],
    *,
    served: bool,
    fixes: bool = True,
) -> Coverage:
    """Without `fixes` the catalog is asked only what devices of an unknown class are for."""
    build = view.facts.build or NEWEST
    machines = [machine.as_machine() for machine in known]
    with site.database.transaction() as session:
        offers = _claiming(session, wanted_ids(_to_look_up(machines, fixes=fixes), build))
        added = _served(session, view) if served else view.drivers
    return cover(
        added,
        machines,
        architecture=view.architecture,
        build=build,
        inside=_inside(view),
        catalog=DriverIndex(offers),
    )


def _to_look_up(machines: Sequence[Machine], *, fixes: bool) -> Iterable[Machine]:
    devices = {device for machine in machines for device in machine.devices}
    wanted = (device for device in devices if fixes or device.kind is None)
    return (Machine("", tuple(wanted)),)


def _served(session: Session, view: ImageView) -> Sequence[Driver]:
    """The drivers of the version that machines get now, as far as the catalog has them still."""
    version = next((v for v in view.versions if v.number == view.served_version), None)
    digests = [driver.digest for driver in version.drivers] if version else []
    return load_drivers(session, DriverRow.digest.in_(digests))


def _inside(view: ImageView) -> tuple[Driver, ...]:
    """What the source drives by itself: its own INFs, or where none were read, what is usual."""
    if view.is_lab:
        return (inbox(LAB_PE_INBOX, view.architecture),)
    return inside(view.facts.inbox, view.architecture) or (
        inbox(WINDOWS_PE_INBOX, view.architecture),
    )


def _claiming(session: Session, ids: frozenset[str]) -> list[Driver]:
    """The catalog's drivers that claim any of these ids, with the models that do."""
    return [
        driver
        for part in _parts(sorted(claimants(session, ids)))
        for driver in load_drivers(session, DriverRow.id.in_(part), claiming=ids)
    ]


def _parts(whole: Sequence[T]) -> Iterable[Sequence[T]]:
    return (whole[at : at + IN_A_QUERY] for at in range(0, len(whole), IN_A_QUERY))
