"""Which driver a device will get, as Windows plug and play decides it.

Microsoft: "How Windows Ranks Drivers", "Driver Rank Example". A rank is 0xSSGGTHHH:
signature, feature score, kind of match, position in the lists. The lowest rank wins, then the
newer date, then the higher version.
"""

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

from netboot.images.architecture import Architecture
from netboot.images.drivers.device import Device
from netboot.images.drivers.driver import Driver, Model, Span

NEWEST = 1 << 29
"""The build to ask for where the image's is not known: newer than all that INFs name."""

# SIGNERSCORE_* of setupapi.h. That a catalog file lies there is all that we know: Windows
# would look inside. Since Windows 7 all trusted signers count alike.
SIGNED = 0x0D
UNSIGNED = 0x80
UNSIGNED_AND_UNDECORATED = 0xC0

_HARDWARE_HARDWARE, _HARDWARE_COMPATIBLE = 0x0000, 0x1000
_COMPATIBLE_HARDWARE, _COMPATIBLE_COMPATIBLE = 0x2000, 0x3000
_POSITION_BITS = 8
_LAST_POSITION = (1 << _POSITION_BITS) - 1

_HOW = {
    _HARDWARE_HARDWARE: "a hardware ID of the device, listed as hardware ID in the INF",
    _HARDWARE_COMPATIBLE: "a hardware ID of the device, listed as compatible ID in the INF",
    _COMPATIBLE_HARDWARE: "a compatible ID of the device, listed as hardware ID in the INF",
    _COMPATIBLE_COMPATIBLE: "a compatible ID of the device, listed as compatible ID in the INF",
}


@dataclass(frozen=True, slots=True)
class Match:
    """A driver that would take a device, by `device_id`, with `rank` (lower is better)."""

    driver: Driver
    model: Model
    device_id: str
    rank: int

    @property
    def order(self) -> tuple[int, int, tuple[int, ...], str]:
        """Sorts the best match first; the digest only makes the order the same every day."""
        date = int(self.driver.date.replace("-", "") or 0)
        version = tuple(-number for number in version_numbers(self.driver.version))
        return self.rank, -date, version, self.driver.digest

    @property
    def explanation(self) -> str:
        """Why this driver, in one sentence."""
        how = _HOW[self.rank & 0xF000]
        trust = {SIGNED: "signed"}.get(self.rank >> 24, "not signed")
        dated = " of ".join(part for part in (self.driver.version, self.driver.date) if part)
        return f"{self.device_id} is {how}; {trust}; {dated or 'no version'}; rank {self.rank:08X}."


class Package(Protocol):
    """A driver as far as conflicts go: whole, or as lists show it."""

    @property
    def digest(self) -> str:
        """It names the content."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def inf_name(self) -> str:
        """With the provider it names the package of which this is a version."""

    @property
    def provider(self) -> str:
        """Who made it."""

    @property
    def version(self) -> str:
        """Four numbers."""

    @property
    def enabled(self) -> bool:
        """Whether it may be added to images."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Drivers that claim one hardware id on one architecture, in no order."""

    hardware_id: str
    architecture: Architecture
    drivers: tuple[Package, ...]


class _Claim(NamedTuple):
    """One id of one model: `position` 0 is the hardware id, 1 the first compatible one."""

    driver: Driver
    model: Model
    position: int


class _DeviceId(NamedTuple):
    """One of a device's ids; `position` in its list."""

    text: str
    position: int
    is_hardware: bool


def version_numbers(version: str) -> tuple[int, ...]:
    """`1.2.3` as (1, 2, 3, 0); what is no number counts as nought."""
    numbers = [int(part) if part.isdecimal() else 0 for part in version.split(".")[:4]]
    return tuple(numbers + [0] * (4 - len(numbers)))


def rank(
    device: Device, driver: Driver, architecture: Architecture, *, build: int = NEWEST
) -> Match | None:
    """How well a driver fits a device on Windows PE of this architecture and build, or not."""
    found = DriverIndex((driver,)).matches(device, architecture, build=build)
    return found[0] if found else None


def best(
    device: Device, drivers: Iterable[Driver], architecture: Architecture, *, build: int = NEWEST
) -> Match | None:
    """The driver that the device gets among these. For many devices make a DriverIndex."""
    return DriverIndex(drivers).best(device, architecture, build=build)


class DriverIndex:
    """Drivers by the ids that they claim, for many devices.

    A claim is kept as one number (model, then position), for a catalog has a million of them
    and most ids are claimed once.
    """

    def __init__(self, drivers: Iterable[Driver]) -> None:
        self.drivers = tuple(drivers)
        self._models: list[tuple[Driver, Model]] = []
        self._first: dict[str, int] = {}
        self._more: dict[str, list[int]] = {}
        self._known: dict[tuple[Device, Architecture, int], Match | None] = {}
        for driver in self.drivers:
            for model in driver.models:
                self._add(driver, model)

    def _add(self, driver: Driver, model: Model) -> None:
        code = len(self._models) << _POSITION_BITS
        self._models.append((driver, model))
        first, more = self._first, self._more
        for identifier in model.hardware_ids:
            if first.setdefault(identifier, code) != code:
                more.setdefault(identifier, []).append(code)
        for position, identifier in enumerate(model.compatible_ids, 1):
            place = code | min(position, _LAST_POSITION)
            if first.setdefault(identifier, place) != place:
                more.setdefault(identifier, []).append(place)

    def _claims_of(self, identifier: str) -> Iterator[_Claim]:
        code = self._first.get(identifier)
        if code is None:
            return
        for one in (code, *self._more.get(identifier, ())):
            driver, model = self._models[one >> _POSITION_BITS]
            yield _Claim(driver, model, one & _LAST_POSITION)

    def matches(
        self, device: Device, architecture: Architecture, *, build: int = NEWEST
    ) -> list[Match]:
        """Every driver that would take the device, the one that gets it first."""
        found: dict[str, Match] = {}
        for identifier in _device_ids(device, build, self._first):
            for claim in self._claims_of(identifier.text):
                if not _counts(claim.model, architecture, build):
                    continue
                match = _match(identifier, claim)
                rival = found.get(claim.driver.digest)
                if rival is None or match.rank < rival.rank:
                    found[claim.driver.digest] = match
        return sorted(found.values(), key=lambda match: match.order)

    def best(
        self, device: Device, architecture: Architecture, *, build: int = NEWEST
    ) -> Match | None:
        """The driver that the device gets; a device asked for again is known."""
        key = (device, architecture, build)
        if key not in self._known:
            self._known[key] = next(iter(self.matches(device, architecture, build=build)), None)
        return self._known[key]

    @cached_property
    def conflicts(self) -> tuple[Conflict, ...]:
        """Hardware ids that two different drivers claim, on the same builds.

        Two versions of one package are no conflict: the newer one is meant.
        """
        return id_conflicts(
            (
                identifier,
                [
                    (claim.driver, claim.model.span)
                    for claim in self._claims_of(identifier)
                    if not claim.position
                ],
            )
            for identifier in self._more
        )


def family(driver: Package) -> tuple[str, str]:
    """What the versions of one package share: who made it, and its INF's name."""
    return driver.provider.casefold(), driver.inf_name.casefold()


def id_conflicts(
    claimed: Iterable[tuple[str, Sequence[tuple[Package, Span]]]],
) -> tuple[Conflict, ...]:
    """Those of the hardware ids on which packages conflict; each comes with who claims it where."""
    found = []
    for identifier, claims in claimed:
        for architecture in {span.architecture for _, span in claims}:
            drivers = _rivals([one for one in claims if one[1].architecture is architecture])
            if drivers:
                found.append(Conflict(identifier, architecture, drivers))
    return tuple(sorted(found, key=lambda c: (c.hardware_id, c.architecture)))


def service_clashes(drivers: Iterable[Driver]) -> tuple[Conflict, ...]:
    """As `service_conflicts`, of whole drivers."""
    return service_conflicts(
        (driver, {(m.service.casefold(), m.architecture) for m in driver.models if m.service})
        for driver in drivers
    )


def service_conflicts(
    installing: Iterable[tuple[Package, Iterable[tuple[str, Architecture]]]],
) -> tuple[Conflict, ...]:
    """Packages of different makers or names that install a service of one name.

    Windows has one service of a name: the package that is loaded later takes it over, and the
    other's devices run, or fail, with a program that was not made for them. Each package comes
    with the names of its services, without case; `hardware_id` of the result holds the name.
    """
    users: dict[tuple[str, Architecture], dict[tuple[str, str], Package]] = {}
    for driver, installed in installing:
        for service in installed:
            users.setdefault(service, {}).setdefault(family(driver), driver)
    return tuple(
        Conflict(name, architecture, tuple(clashing.values()))
        for (name, architecture), clashing in sorted(users.items())
        if len(clashing) > 1
    )


def _rivals(claims: list[tuple[Package, Span]]) -> tuple[Package, ...]:
    """The drivers that claim an id on the same build as a driver of another family."""
    drivers: dict[str, Package] = {}
    for build in {span.minimum_build for _, span in claims}:
        active = [driver for driver, span in claims if span.holds(build)]
        if len({family(driver) for driver in active}) > 1:
            drivers |= {driver.digest: driver for driver in active}
    return tuple(drivers.values())


def _counts(model: Model, architecture: Architecture, build: int) -> bool:
    return model.architecture is architecture and model.span.holds(build)


def _device_ids(device: Device, build: int, known: Container[str]) -> list[_DeviceId]:
    """The device's ids that somebody claims, with their places in its lists."""
    lists = ((device.hardware_ids(build), True), (device.compatible_ids(build), False))
    return [
        _DeviceId(text, position, is_hardware)
        for ids, is_hardware in lists
        for position, text in enumerate(ids)
        if text in known
    ]


def _match(identifier: _DeviceId, claim: _Claim) -> Match:
    """The rank as in "Driver Rank Example": the table's rows and columns."""
    if identifier.is_hardware:
        kind = _HARDWARE_COMPATIBLE if claim.position else _HARDWARE_HARDWARE
        score = kind + identifier.position
    elif claim.position:
        step = min(claim.position - 1, 0xF) << 8
        score = _COMPATIBLE_COMPATIBLE + step + min(identifier.position, _LAST_POSITION)
    else:
        score = _COMPATIBLE_HARDWARE + identifier.position
    total = _signature_score(claim.driver, claim.model) << 24
    total |= (claim.model.feature_score & 0xFF) << 16
    return Match(claim.driver, claim.model, identifier.text, total | score)


def _signature_score(driver: Driver, model: Model) -> int:
    if driver.catalog_file or driver.self_signed:
        return SIGNED
    return UNSIGNED if model.decorated else UNSIGNED_AND_UNDECORATED
