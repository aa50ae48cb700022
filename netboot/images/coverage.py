"""What an image will bring up: its drivers held against the devices of known machines.

Answered before anything boots: which machines will have a network, which their disks, which
device lacks a driver, which driver of the catalog would mend it, and which drivers of the
image nobody needs.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType

from netboot.images.architecture import Architecture
from netboot.images.device import Device
from netboot.images.driver import Driver, DriverKind, Model
from netboot.images.matching import NEWEST, DriverIndex, Match

MAX_FIXES = 5

# What Windows PE drives by itself, by class: IDE (mshdc.inf) in all versions; AHCI
# (mshdc.inf) and NVMe (stornvme.inf) in those that we build for. Network cards differ from
# version to version: their INFs are read from the image.
WINDOWS_PE_INBOX = ("PCI\\CC_0101", "PCI\\CC_010601", "PCI\\CC_010802")
# The Lab PE has none, so that each driver's absence shows; plain IDE it does not count.
LAB_PE_INBOX = ("PCI\\CC_0101",)

_BOOT_KINDS = frozenset({DriverKind.NETWORK, DriverKind.STORAGE})


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
class MachineCoverage:
    """What an image does for one machine."""

    machine: Machine
    devices: tuple[DeviceCoverage, ...]

    @property
    def network(self) -> Status:
        """Whether a network card has a driver: one is enough to boot."""
        return self._status(DriverKind.NETWORK)

    @property
    def storage(self) -> Status:
        """Whether a disk controller has a driver."""
        return self._status(DriverKind.STORAGE)

    @property
    def lacking(self) -> tuple[DeviceCoverage, ...]:
        """Devices without a driver."""
        return tuple(device for device in self.devices if device.match is None)

    def _status(self, kind: DriverKind) -> Status:
        matches = [device.match for device in self.devices if device.kind is kind]
        if not matches:
            return Status.UNKNOWN
        return Status.COVERED if any(matches) else Status.LACKING


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
    """An image against all known machines."""

    machines: tuple[MachineCoverage, ...]
    weights: tuple[DriverWeight, ...]

    @cached_property
    def worst_first(self) -> tuple[MachineCoverage, ...]:
        """The machines that need somebody's attention before those that do not."""
        order = {Status.LACKING: 0, Status.UNKNOWN: 1, Status.COVERED: 2}
        ranked = [
            (order[machine.network], order[machine.storage], machine.machine.name, at)
            for at, machine in enumerate(self.machines)
        ]
        return tuple(self.machines[at] for *_, at in sorted(ranked))

    @cached_property
    def shares(self) -> Mapping[DriverKind, Counter[Status]]:
        """How many machines stand how, for network and for storage."""
        network = Counter(machine.network for machine in self.machines)
        storage = Counter(machine.storage for machine in self.machines)
        return MappingProxyType({DriverKind.NETWORK: network, DriverKind.STORAGE: storage})

    @property
    def unneeded(self) -> tuple[DriverWeight, ...]:
        """Drivers that surely no known machine needs; none while no machine is known."""
        return tuple(weight for weight in self.weights if weight.judged and not weight.machines)

    @cached_property
    def fixes(self) -> tuple[tuple[Driver, int], ...]:
        """The drivers that would mend the most devices, with how many; best fix of each only."""
        counts: dict[str, int] = {}
        drivers: dict[str, Driver] = {}
        for machine in self.machines:
            for device in machine.devices:
                if device.match is None and device.fixes:
                    driver = device.fixes[0].driver
                    drivers[driver.digest] = driver
                    counts[driver.digest] = counts.get(driver.digest, 0) + 1
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


def cover(
    added: Sequence[Driver],
    machines: Iterable[Machine],
    *,
    architecture: Architecture,
    build: int = NEWEST,
    inside: Iterable[Driver] = (),
    catalog: DriverIndex | None = None,
) -> Coverage:
    """Hold an image against machines.

    `added` are the drivers of its recipe, `inside` those that its source brings along.
    `catalog` is where fixes are looked for; build its index once and keep it.
    """
    known = DriverIndex((*added, *inside))
    shop = catalog or DriverIndex(())
    looked_up: dict[Device, DeviceCoverage | None] = {}

    def look_up(device: Device) -> DeviceCoverage | None:
        if device not in looked_up:
            looked_up[device] = _device(device, known, shop, architecture, build)
        return looked_up[device]

    covered = []
    for machine in machines:
        found = (look_up(device) for device in machine.devices)
        covered.append(MachineCoverage(machine, tuple(device for device in found if device)))
    return Coverage(tuple(covered), _weigh(added, covered, architecture))


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


def _device(
    device: Device, known: DriverIndex, shop: DriverIndex, architecture: Architecture, build: int
) -> DeviceCoverage | None:
    """One device; None where it is for neither network nor storage, as far as anybody knows."""
    kind = device.kind
    match = next(iter(known.matches(device, architecture, build=build)), None)
    fixes: tuple[Match, ...] = ()
    if match is None and (kind is None or kind in _BOOT_KINDS):
        offers = shop.matches(device, architecture, build=build)
        fixes = tuple(offer for offer in offers if offer.driver.kind in _BOOT_KINDS)[:MAX_FIXES]
    if kind is None:
        # A PNPDeviceID says nothing about the class; whoever would drive it does.
        whoever = match or (fixes[0] if fixes else None)
        kind = whoever.driver.kind if whoever else DriverKind.OTHER
    return DeviceCoverage(device, kind, match, fixes) if kind in _BOOT_KINDS else None


def _weigh(
    added: Sequence[Driver], machines: Sequence[MachineCoverage], architecture: Architecture
) -> tuple[DriverWeight, ...]:
    users: dict[str, dict[str, None]] = {driver.digest: {} for driver in added}
    for machine in machines:
        for device in machine.devices:
            if device.match and device.match.driver.digest in users:
                users[device.match.driver.digest].setdefault(machine.machine.name)
    judged = _judged_kinds(machines)
    return tuple(
        DriverWeight(
            driver,
            size_on(driver, architecture),
            tuple(users[driver.digest]),
            judged=driver.kind in judged,
        )
        for driver in added
    )


def _judged_kinds(machines: Sequence[MachineCoverage]) -> frozenset[DriverKind]:
    """The kinds of which every machine's devices are known."""
    if not machines:
        return frozenset()
    return frozenset(
        kind
        for kind, states in (
            (DriverKind.NETWORK, (machine.network for machine in machines)),
            (DriverKind.STORAGE, (machine.storage for machine in machines)),
        )
        if Status.UNKNOWN not in states
    )
