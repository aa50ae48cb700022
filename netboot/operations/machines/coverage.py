"""Coverage: which machines an image will bring up, told before anything boots.

The recipe is what the next version will hold; what is served now may hold less. Both can be
asked for. What was found is kept until something changes that it depends on; a large fleet is
held against an image beside the pages that show it.
"""

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from netboot.images.architecture import Architecture
from netboot.images.coverage import (
    LAB_PE_INBOX,
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
from netboot.operations.kept_results import KeptResults
from netboot.operations.machines.image_choice import Decide, boots_from_network, decider
from netboot.operations.machines.machines import KnownMachine, list_machines
from netboot.site import Site
from netboot.store.database.records import DriverRow
from netboot.store.drivers.rows import claimants, load_drivers

T = TypeVar("T")

IN_A_QUERY = 500
COVERAGES_KEPT = 32
IMAGES_HELD = 64
DEVICES_KEPT = 50_000


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
    catalog = site.database.stamp("catalog")
    view = images.get_image(site, image)
    drivers = _drivers_of(site, view, catalog, served=served)
    key = (str(site.data), view.slug, everybody, served)
    decided = (catalog, _content(view, served=served), () if everybody else _given(site))

    def compute() -> Coverage:
        known: Sequence[KnownMachine] = site.machines.fleet().machines
        if not everybody:
            decide = decider(site)
            known = [
                machine
                for machine in known
                if not boots_from_network(machine) or view.name in decide(machine).images
            ]
        return drivers.cover(machine.as_machine() for machine in known)

    ask = _kept.lately if glance else _kept.now
    return ask((*key, *decided), site.machines.fleet().shape, compute)


def outlook_of(site: Site, machines: Iterable[KnownMachine]) -> dict[str, Outlook]:
    """What becomes of these machines if they boot now, by key; of those that get an image.

    Told without fixes.
    """
    catalog, decide = site.database.stamp("catalog"), decider(site)
    views = {view.name: view for view in images.list_images(site)}
    found: dict[str, Outlook] = {}
    for image, known in _by_image(machines, decide).items():
        if image in views:
            drivers = _drivers_of(site, views[image], catalog, served=True, fixes=False)
            driven = drivers.drive([machine.devices for machine in known])
            for machine, what in zip(known, driven, strict=True):
                held = MachineCoverage(machine.as_machine(), what)
                found[machine.key] = Outlook(image, held)
    return found


def outlook(site: Site) -> dict[str, Outlook]:
    """What becomes of each machine that boots now, by its key; of those that get an image."""
    return outlook_of(site, list_machines(site))


def lacking(site: Site) -> int:
    """How many machines would boot without a network driver, as of a moment ago.

    Counted anew at once when a driver, a version or an assignment comes or goes.
    """
    catalog = site.database.stamp("catalog")
    contents = tuple(_content(view, served=True) for view in images.list_images(site))
    key = (str(site.data), catalog, contents, _given(site))
    return _counted.lately(key, site.machines.fleet().shape, lambda: _count_lacking(site, catalog))


def _count_lacking(site: Site, catalog: tuple[int, ...]) -> int:
    views = {view.name: view for view in images.list_images(site)}
    count = 0
    for image, known in _by_image(site.machines.fleet().machines, decider(site)).items():
        if image in views:
            drivers = _drivers_of(site, views[image], catalog, served=True, fixes=False)
            driven = drivers.drive([machine.devices for machine in known])
            count += sum(what.network is Status.LACKING for what in driven)
    return count


def _by_image(machines: Iterable[KnownMachine], decide: Decide) -> dict[str, list[KnownMachine]]:
    """The machines by the image that each gets first."""
    found: dict[str, list[KnownMachine]] = {}
    for machine in machines:
        if chosen := decide(machine).images:
            found.setdefault(chosen[0], []).append(machine)
    return found


def machine_coverage(
    site: Site, image: str, machine: KnownMachine, *, served: bool = False
) -> MachineCoverage:
    """What an image does for one machine, whether it would get it or not.

    Its recipe is asked, or with `served` the version that machines get now. Raises NotFound.
    """
    catalog = site.database.stamp("catalog")
    drivers = _drivers_of(site, images.get_image(site, image), catalog, served=served)
    return drivers.cover([machine.as_machine()]).machines[0]


def candidates(
    site: Site, device: Device, architecture: Architecture, *, build: int = 0
) -> list[Match]:
    """The catalog's drivers for a device, enabled or not, the one that Windows takes first.

    `build` is that of the Windows PE, 0 for the newest.
    """
    build = build or NEWEST
    return list(_shop(site, architecture, build).offers([device])[device])


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


_kept: KeptResults[Coverage] = KeptResults(COVERAGES_KEPT)
_counted: KeptResults[int] = KeptResults()
_held: KeptResults[ImageDrivers] = KeptResults(IMAGES_HELD)
_alones: KeptResults[ImageDrivers] = KeptResults(IMAGES_HELD)
_shops: KeptResults["_Shop"] = KeptResults()


def _given(site: Site) -> tuple[Hashable, ...]:
    """Differs when machines may be given other images than before."""
    return (*site.database.stamp("policy"), site.point.load().generation)


def _content(view: ImageView, *, served: bool) -> tuple[Hashable, ...]:
    """What of an image, beside the catalog, decides which devices it drives.

    A driver's digest stands for all that it claims, the source's for all that is inside.
    """
    source = (view.source_digest, view.facts.index, view.facts.build, len(view.facts.inbox))
    return (view.slug, *source, view.is_lab, _digests(view, served=served))


def _digests(view: ImageView, *, served: bool) -> tuple[str, ...]:
    """The drivers of the recipe, or of the version that machines get now."""
    if not served:
        return tuple(driver.digest for driver in view.drivers)
    version = view.version(view.served_version) if view.served_version else None
    return tuple(driver.digest for driver in version.drivers) if version else ()


def _drivers_of(
    site: Site, view: ImageView, catalog: tuple[int, ...], *, served: bool, fixes: bool = True
) -> ImageDrivers:
    """The drivers of an image, on a catalog as it was when the stamp was asked, or newer.

    The stamp comes before the view. Without `fixes` the catalog is asked only what devices of
    an unknown class are for.
    """

    def make() -> ImageDrivers:
        shop = _shop(site, view.architecture, view.facts.build or NEWEST)
        offers = shop.offers if fixes else shop.offers_of_unknown
        return _alone(site, view, served=served).asking(offers)

    key = (str(site.data), view.slug, served, fixes)
    return _held.now(key, (catalog, _content(view, served=served)), make)


def _alone(site: Site, view: ImageView, *, served: bool) -> ImageDrivers:
    """The drivers of an image without a catalog: the same until one of their own rows changes."""
    digests = _digests(view, served=served)
    columns = (DriverRow.id, DriverRow.digest, DriverRow.enabled, DriverRow.categories)
    drivers = select(*columns).where(DriverRow.digest.in_(digests)).order_by(DriverRow.id)
    with site.database.transaction() as session:
        rows = tuple(tuple(row) for row in session.execute(drivers))

    def make() -> ImageDrivers:
        with site.database.transaction() as session:
            # Of a version that is served the catalog may have lost some.
            found = load_drivers(session, DriverRow.digest.in_(digests)) if served else view.drivers
        index = DriverIndex((*found, *_inside(view)))
        return ImageDrivers(found, index, view.architecture, view.facts.build or NEWEST)

    key = (str(site.data), view.slug, served)
    return _alones.now(key, (_content(view, served=served), rows), make)


class _Shop:
    """The catalog's drivers for devices, whether enabled or not; what was found is kept."""

    def __init__(self, site: Site, architecture: Architecture, build: int) -> None:
        self.build = build
        self._site = site
        self._architecture = architecture
        self._found: dict[Device, Sequence[Match]] = {}

    def offers(self, devices: Collection[Device]) -> Mapping[Device, Sequence[Match]]:
        """The drivers for each, the one that Windows takes first."""
        if len(self._found) > DEVICES_KEPT:
            self._found = {}
        kept = self._found
        fresh = [device for device in devices if device not in kept]
        if fresh:
            with self._site.database.transaction() as session:
                ids = wanted_ids([Machine("", tuple(fresh))], self.build)
                index = DriverIndex(_claiming(session, ids))
            for device in fresh:
                kept[device] = index.matches(device, self._architecture, build=self.build)
        return {device: kept[device] for device in devices}

    def offers_of_unknown(self, devices: Collection[Device]) -> Mapping[Device, Sequence[Match]]:
        """Only for devices of which nobody knows what they are for."""
        return self.offers([device for device in devices if device.kind is None])


def _shop(site: Site, architecture: Architecture, build: int) -> _Shop:
    build = build or NEWEST
    stamp = site.database.stamp("catalog")
    key = (str(site.data), architecture, build)
    return _shops.now(key, stamp, lambda: _Shop(site, architecture, build))


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
