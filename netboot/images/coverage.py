"""Driver coverage: compares the drivers of an image with the devices of known machines.

It answers before a boot which machines will have network and disks, which device lacks a driver,
which driver of the catalog would drive it, and which drivers of the image no machine needs.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType

from netboot.images.architecture import Architecture
from netboot.images.drivers.device import Device
from netboot.images.drivers.driver import Driver, DriverKind, Model
from netboot.images.drivers.matching import NEWEST, DriverIndex, Match

MAX_FIXES = 5

# What Windows PE drives without added drivers, by class: IDE (mshdc.inf) in all versions, AHCI
# (mshdc.inf) and NVMe (stornvme.inf) in the supported ones. Network cards differ between
# versions: their INFs are read from the image.
WINDOWS_PE_INBOX = ("PCI\\CC_0101", "PCI\\CC_010601", "PCI\\CC_010802")
# The Lab PE has no inbox drivers, so that a missing one shows; plain IDE always works.
LAB_PE_INBOX = ("PCI\\CC_0101",)

_BOOT_KINDS = frozenset({DriverKind.NETWORK, DriverKind.STORAGE})
MAY_COUNT = frozenset({*_BOOT_KINDS, None})
"""Kinds of devices that matter for booting; None is an unknown class."""


class Status(StrEnum):
    """The coverage of a machine, for network or for storage."""

    COVERED = "covered"
    LACKING = "lacking"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Machine:
    """A known machine and its devices."""

    name: str
    devices: tuple[Device, ...]


@dataclass(frozen=True, slots=True)
class DeviceCoverage:
    """A network or storage device and its driver in the image, `match`.

    If that is None, `fixes` are drivers of the catalog, enabled or not, best first.
    """

    device: Device
    kind: DriverKind
    match: Match | None
    fixes: tuple[Match, ...] = ()


@dataclass(frozen=True, slots=True)
class Driven:
    """The coverage of a list of devices. Machines with the same devices share it."""

    devices: tuple[DeviceCoverage, ...]
    network: Status
    storage: Status

    @staticmethod
    def of(devices: tuple[DeviceCoverage, ...]) -> "Driven":
        def status(kind: DriverKind) -> Status:
            matches = [device.match for device in devices if device.kind is kind]
            if not matches:
                return Status.UNKNOWN
            # One card with a driver is enough to boot, and one disk controller.
            return Status.COVERED if any(matches) else Status.LACKING

        return Driven(devices, status(DriverKind.NETWORK), status(DriverKind.STORAGE))


@dataclass(frozen=True, slots=True)
class MachineCoverage:
    """The coverage of one machine."""

    machine: Machine
    driven: Driven

    @property
    def devices(self) -> tuple[DeviceCoverage, ...]:
        return self.driven.devices

    @property
    def network(self) -> Status:
        return self.driven.network

    @property
    def storage(self) -> Status:
        return self.driven.storage

    @property
    def lacking(self) -> tuple[DeviceCoverage, ...]:
        """Devices without a driver."""
        return tuple(device for device in self.devices if device.match is None)


@dataclass(frozen=True, slots=True)
class DriverWeight:
    """A driver of the image: its bytes, and the machines that need it.

    With no `machines` and `judged`, no machine needs it. That cannot be known for drivers of other
    kinds than network and storage, nor if a machine's devices of that kind are unknown.
    """

    driver: Driver
    size: int
    machines: tuple[str, ...]
    judged: bool = True


@dataclass(frozen=True)
class Coverage:
    """The coverage of all known machines; `makes` groups their names by equal devices."""

    machines: tuple[MachineCoverage, ...]
    weights: tuple[DriverWeight, ...]
    makes: tuple[tuple[Driven, Sequence[str]], ...]

    @cached_property
    def worst_first(self) -> tuple[MachineCoverage, ...]:
        """The machines, those with missing drivers first."""
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
        """The number of machines with each status, for network and for storage."""
        network: Counter[Status] = Counter()
        storage: Counter[Status] = Counter()
        for driven, names in self.makes:
            network[driven.network] += len(names)
            storage[driven.storage] += len(names)
        return MappingProxyType({DriverKind.NETWORK: network, DriverKind.STORAGE: storage})

    @property
    def unneeded(self) -> tuple[DriverWeight, ...]:
        """Drivers that no known machine needs; none if no machine is known."""
        return tuple(weight for weight in self.weights if weight.judged and not weight.machines)

    @cached_property
    def fixes(self) -> tuple[tuple[Driver, int], ...]:
        """The drivers that would fix the most devices, with their number; best fix of each only."""
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
    """What Windows drives by itself, as a driver that every image has."""
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
        catalog_checked=True,
    )


@dataclass(frozen=True, slots=True)
class ImageDrivers:
    """The drivers of an image, to compare with machines.

    `added` are the drivers of its recipe; `index` has these and the inbox drivers of its source,
    as far as the machines need them. Fixes come from `catalog`, enabled or not.
    """

    added: Sequence[Driver]
    index: DriverIndex
    architecture: Architecture
    build: int = NEWEST
    catalog: DriverIndex = field(default_factory=lambda: DriverIndex(()))

    def cover(self, machines: Iterable[Machine]) -> Coverage:
        held = tuple(machines)
        driven = self.drive([machine.devices for machine in held])
        return self.summed(map(MachineCoverage, held, driven))

    def summed(self, covered: Iterable[MachineCoverage]) -> Coverage:
        """The coverage of machines whose own coverage is known."""
        held = tuple(covered)
        makes = _alike(held)
        return Coverage(held, _weigh(self.added, held, makes, self.architecture), makes)

    def drive(self, lists: Sequence[tuple[Device, ...]]) -> list[Driven]:
        """The coverage of these lists of devices; a list that occurs twice is computed once."""
        makes = {id(devices): devices for devices in lists}
        found = {device: self._look_up(device) for devices in makes.values() for device in devices}
        driven = {
            key: Driven.of(tuple(one for one in map(found.__getitem__, devices) if one))
            for key, devices in makes.items()
        }
        return [driven[id(devices)] for devices in lists]

    def _look_up(self, device: Device) -> DeviceCoverage | None:
        """The coverage of a device; None if it is known to be neither network nor storage."""
        if device.kind not in MAY_COUNT:
            return None
        match = self.index.best(device, self.architecture, build=self.build)
        fixes: tuple[Match, ...] = ()
        if match is None:
            offers = self.catalog.matches(device, self.architecture, build=self.build)
            fixes = tuple(one for one in offers if one.driver.kind in _BOOT_KINDS)[:MAX_FIXES]
        kind = device.kind
        if kind is None:
            # A PNPDeviceID does not contain the class, but the best driver has one.
            taker = match or (fixes[0] if fixes else None)
            kind = taker.driver.kind if taker else DriverKind.OTHER
        return DeviceCoverage(device, kind, match, fixes) if kind in _BOOT_KINDS else None


def wanted_ids(machines: Iterable[Machine], build: int = NEWEST) -> frozenset[str]:
    """All ids of the machines' devices: only drivers that claim one of them can match."""
    devices = {device for machine in machines for device in machine.devices}
    return frozenset(
        identifier
        for device in devices
        for identifier in (*device.hardware_ids(build), *device.compatible_ids())
    )


def size_on(driver: Driver, architecture: Architecture) -> int:
    """Bytes that the driver adds to an image of this architecture."""
    return sum(
        file.size
        for file in driver.files
        if not file.architectures or architecture in file.architectures
    )


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
    # A driver is unneeded only if all devices of its kind are known, on every machine.
    judged = {
        kind
        for kind, states in (
            (DriverKind.NETWORK, [driven.network for driven, _ in makes]),
            (DriverKind.STORAGE, [driven.storage for driven, _ in makes]),
        )
        if states and Status.UNKNOWN not in states
    }
    return tuple(
        DriverWeight(
            driver,
            size_on(driver, architecture),
            tuple(sorted(set(users[driver.digest]), key=place.__getitem__)),
            judged=driver.kind in judged,
        )
        for driver in added
    )
