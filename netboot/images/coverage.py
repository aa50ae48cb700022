"""What an image will bring up: its drivers held against the devices of known machines.

Answered before anything boots: which machines will have a network, which their disks, which
device lacks a driver, which driver of the catalog would mend it, and which drivers of the
image nobody needs.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType

from netboot.images.architecture import Architecture
from netboot.images.drivers.device import Device
from netboot.images.drivers.driver import Driver, DriverKind, Model
from netboot.images.drivers.matching import NEWEST, DriverIndex, Match

MAX_FIXES = 5

# What Windows PE drives by itself, by class: IDE (mshdc.inf) in all versions; AHCI
# (mshdc.inf) and NVMe (stornvme.inf) in those that we build for. Network cards differ from
# version to version: their INFs are read from the image.
WINDOWS_PE_INBOX = ("PCI\\CC_0101", "PCI\\CC_010601", "PCI\\CC_010802")
# The Lab PE has none, so that each driver's absence shows; plain IDE it does not count.
LAB_PE_INBOX = ("PCI\\CC_0101",)

_BOOT_KINDS = frozenset({DriverKind.NETWORK, DriverKind.STORAGE})
_MAY_COUNT = frozenset({*_BOOT_KINDS, None})

MOST_KEPT = 100_000
"""So many lists and devices an image keeps what was found of."""


class Status(StrEnum):
    """How a machine stands, for network or for storage."""

    COVERED = "covered"
    LACKING = "lacking"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Machine:
    """A known machine: what people call it, and its devices."""

    name: str
    devices: tuple[Device, ...]


@dataclass(frozen=True, slots=True)
class DeviceCoverage:
    """A network or storage device: what drives it, or what would.

    `match` is the image's driver for it; `fixes` are drivers of the catalog, best first,
    enabled or not, where there is none.
    """

    device: Device
    kind: DriverKind
    match: Match | None
    fixes: tuple[Match, ...] = ()


@dataclass(frozen=True, slots=True)
class Driven:
    """What an image does for some devices. Machines of one make share it."""

    devices: tuple[DeviceCoverage, ...]
    network: Status
    storage: Status

    @staticmethod
    def of(devices: tuple[DeviceCoverage, ...]) -> "Driven":
        """One card with a driver is enough to boot, and one disk controller."""
        return Driven(
            devices, _status(devices, DriverKind.NETWORK), _status(devices, DriverKind.STORAGE)
        )


def _status(devices: Iterable[DeviceCoverage], kind: DriverKind) -> Status:
    matches = [device.match for device in devices if device.kind is kind]
    if not matches:
        return Status.UNKNOWN
    return Status.COVERED if any(matches) else Status.LACKING


@dataclass(frozen=True, slots=True)
class MachineCoverage:
    """What an image does for one machine."""

    machine: Machine
    driven: Driven

    @property
    def devices(self) -> tuple[DeviceCoverage, ...]:
        """Its devices for network and storage."""
        return self.driven.devices

    @property
    def network(self) -> Status:
        """Whether a network card has a driver: one is enough to boot."""
        return self.driven.network

    @property
    def storage(self) -> Status:
        """Whether a disk controller has a driver."""
        return self.driven.storage

    @property
    def lacking(self) -> tuple[DeviceCoverage, ...]:
        """Devices without a driver."""
        return tuple(device for device in self.devices if device.match is None)


@dataclass(frozen=True, slots=True)
class DriverWeight:
    """What a driver of the image costs and brings: bytes, and the machines that need it.

    `judged` tells whether nobody needs it where `machines` is empty. That cannot be said of
    drivers for neither network nor storage, nor while a machine's devices of that kind are not
    known.
    """

    driver: Driver
    size: int
    machines: tuple[str, ...]
    judged: bool = True


@dataclass(frozen=True)
class Coverage:
    """An image against all known machines.

    `makes` are the machines' names by what the image does for them: few lists for a large fleet.
    """

    machines: tuple[MachineCoverage, ...]
    weights: tuple[DriverWeight, ...]
    makes: tuple[tuple[Driven, Sequence[str]], ...]

    @cached_property
    def worst_first(self) -> tuple[MachineCoverage, ...]:
        """The machines that need somebody's attention before those that do not."""
        order = {Status.LACKING: 0, Status.UNKNOWN: 1, Status.COVERED: 2}
        ranks = {
            id(driven): 3 * order[driven.network] + order[driven.storage]
            for driven, _ in self.makes
        }
        ranked = [
            (ranks[id(machine.driven)], machine.machine.name, at)
            for at, machine in enumerate(self.machines)
        ]
        return tuple(self.machines[at] for *_, at in sorted(ranked))

    @cached_property
    def shares(self) -> Mapping[DriverKind, Counter[Status]]:
        """How many machines stand how, for network and for storage."""
        network: Counter[Status] = Counter()
        storage: Counter[Status] = Counter()
        for driven, names in self.makes:
            network[driven.network] += len(names)
            storage[driven.storage] += len(names)
        return MappingProxyType({DriverKind.NETWORK: network, DriverKind.STORAGE: storage})

    @property
    def unneeded(self) -> tuple[DriverWeight, ...]:
        """Drivers that surely no known machine needs; none while no machine is known."""
        return tuple(weight for weight in self.weights if weight.judged and not weight.machines)

    @cached_property
    def fixes(self) -> tuple[tuple[Driver, int], ...]:
        """The drivers that would mend the most devices, with how many; best fix of each only."""
        counts: Counter[str] = Counter()
        drivers: dict[str, Driver] = {}
        for driven, names in self.makes:
            for device in driven.devices:
                if device.match is None and device.fixes:
                    driver = device.fixes[0].driver
                    drivers[driver.digest] = driver
                    counts[driver.digest] += len(names)
        ranked = sorted(counts, key=lambda digest: (-counts[digest], digest))
        return tuple((drivers[digest], counts[digest]) for digest in ranked)


def inbox(ids: Iterable[str], architecture: Architecture) -> Driver:
    """What Windows drives by itself, as a driver that is always inside."""
    models = tuple(Model(architecture, "part of Windows", (i.upper(),)) for i in ids)
    return Driver(
        digest="",
        name="Windows",
        inf_name="",
        provider="Microsoft",
        class_name="",
        class_guid="",
        version="",
        date="",
        architectures=frozenset({architecture}),
        models=models,
        files=(),
        catalog_file="part of Windows",
    )


Offers = Callable[[Collection[Device]], Mapping[Device, Sequence[Match]]]
"""The drivers of a catalog for devices, best first, enabled or not."""


class ImageDrivers:
    """The drivers of an image, to be held against machines; what was found is kept.

    `added` are the drivers of its recipe; `index` holds these and those that its source brings
    along. `offers` is asked for fixes, once for all devices of a call that nothing drives.
    """

    def __init__(
        self,
        added: Sequence[Driver],
        index: DriverIndex,
        architecture: Architecture,
        build: int = NEWEST,
        *,
        offers: Offers = lambda _devices: MappingProxyType({}),
    ) -> None:
        self.added = tuple(added)
        self.index = index
        self.architecture = architecture
        self.build = build
        self._offers = offers
        self._found: dict[Device, DeviceCoverage | None] = {}
        self._driven: dict[int, tuple[tuple[Device, ...], Driven]] = {}

    def asking(self, offers: Offers) -> "ImageDrivers":
        """The same drivers, with another catalog for fixes; what they match is known still."""
        return ImageDrivers(self.added, self.index, self.architecture, self.build, offers=offers)

    def cover(self, machines: Iterable[Machine]) -> Coverage:
        """Hold the image against machines."""
        held = tuple(machines)
        driven = self.drive([machine.devices for machine in held])
        covered = tuple(map(MachineCoverage, held, driven))
        makes = _alike(covered)
        return Coverage(covered, _weigh(self.added, covered, makes, self.architecture), makes)

    def drive(self, lists: Sequence[tuple[Device, ...]]) -> list[Driven]:
        """What it does for these lists of devices."""
        if len(self._driven) + len(self._found) > MOST_KEPT:
            self._driven, self._found = {}, {}
        kept, found = self._driven, self._found
        fresh = {id(devices): devices for devices in lists if id(devices) not in kept}
        asked = {device for devices in fresh.values() for device in devices}
        found |= self._look_up([one for one in asked if one not in found])
        for key, devices in fresh.items():
            these = (found[device] for device in devices)
            # The list is kept with it, so that no other one can come by its id.
            kept[key] = devices, Driven.of(tuple(device for device in these if device))
        return [kept[id(devices)][1] for devices in lists]

    def _look_up(self, devices: Iterable[Device]) -> dict[Device, DeviceCoverage | None]:
        found: dict[Device, DeviceCoverage | None] = dict.fromkeys(devices)
        matches = {one: self._match(one) for one in found if one.kind in _MAY_COUNT}
        undriven = [device for device, match in matches.items() if match is None]
        offers = self._offers(undriven) if undriven else {}
        for device, match in matches.items():
            found[device] = _covered(device, match, offers.get(device, ()))
        return found

    def _match(self, device: Device) -> Match | None:
        return self.index.best(device, self.architecture, build=self.build)


def cover(
    added: Sequence[Driver],
    machines: Iterable[Machine],
    *,
    architecture: Architecture,
    build: int = NEWEST,
    inside: Iterable[Driver] = (),
    catalog: DriverIndex | None = None,
) -> Coverage:
    """Hold an image against machines, once; `catalog` is where fixes are looked for."""

    def offers(devices: Collection[Device]) -> Mapping[Device, Sequence[Match]]:
        shop = catalog or DriverIndex(())
        return {device: shop.matches(device, architecture, build=build) for device in devices}

    index = DriverIndex((*added, *inside))
    image = ImageDrivers(added, index, architecture, build, offers=offers)
    return image.cover(machines)


def wanted_ids(machines: Iterable[Machine], build: int = NEWEST) -> frozenset[str]:
    """All ids by which a driver for these machines could be found.

    A large catalog need not be read whole: only the drivers that claim one of these count.
    """
    devices = {device for machine in machines for device in machine.devices}
    return frozenset(
        identifier
        for device in devices
        for identifier in (*device.hardware_ids(build), *device.compatible_ids(build))
    )


def size_on(driver: Driver, architecture: Architecture) -> int:
    """Bytes that the driver adds to an image of this architecture."""
    return sum(
        file.size
        for file in driver.files
        if not file.architectures or architecture in file.architectures
    )


def _covered(device: Device, match: Match | None, offers: Sequence[Match]) -> DeviceCoverage | None:
    """One device; None where it is for neither network nor storage, as far as anybody knows."""
    kind = device.kind
    fixes: tuple[Match, ...] = ()
    if match is None:
        fixes = tuple(offer for offer in offers if offer.driver.kind in _BOOT_KINDS)[:MAX_FIXES]
    if kind is None:
        # A PNPDeviceID says nothing about the class; the driver for it does.
        driven_by = match or (fixes[0] if fixes else None)
        kind = driven_by.driver.kind if driven_by else DriverKind.OTHER
    return DeviceCoverage(device, kind, match, fixes) if kind in _BOOT_KINDS else None


def _alike(machines: Iterable[MachineCoverage]) -> tuple[tuple[Driven, Sequence[str]], ...]:
    makes: dict[int, tuple[Driven, list[str]]] = {}
    for machine in machines:
        driven = machine.driven
        make = makes.get(id(driven))
        if make is None:
            make = makes[id(driven)] = (driven, [])
        make[1].append(machine.machine.name)
    return tuple(makes.values())


def _weigh(
    added: Sequence[Driver],
    machines: Sequence[MachineCoverage],
    makes: Sequence[tuple[Driven, Sequence[str]]],
    architecture: Architecture,
) -> tuple[DriverWeight, ...]:
    users: dict[str, list[str]] = {driver.digest: [] for driver in added}
    for driven, names in makes:
        matches = (device.match for device in driven.devices)
        for digest in {match.driver.digest for match in matches if match} & users.keys():
            users[digest].extend(names)
    place = {machine.machine.name: at for at, machine in enumerate(machines)}
    judged = _judged_kinds([driven for driven, _ in makes])
    return tuple(
        DriverWeight(
            driver,
            size_on(driver, architecture),
            tuple(sorted(set(users[driver.digest]), key=place.__getitem__)),
            judged=driver.kind in judged,
        )
        for driver in added
    )


def _judged_kinds(makes: Sequence[Driven]) -> frozenset[DriverKind]:
    """The kinds of which every machine's devices are known."""
    if not makes:
        return frozenset()
    return frozenset(
        kind
        for kind, states in (
            (DriverKind.NETWORK, (make.network for make in makes)),
            (DriverKind.STORAGE, (make.storage for make in makes)),
        )
        if Status.UNKNOWN not in states
    )
