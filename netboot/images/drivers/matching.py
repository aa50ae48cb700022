"""Which driver a device gets, by the rules of Windows plug and play.

Microsoft: "How Windows Ranks Drivers", "Driver Rank Example". A rank is 0xSSGGTHHH: signature,
feature score, type of match, positions in the lists. The lowest rank wins, then the newest date,
then the highest version.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

from netboot.images.architecture import Architecture
from netboot.images.drivers.device import Device
from netboot.images.drivers.driver import Driver, Model, Signature, Span

NEWEST = 1 << 29
"""The build if that of the image is unknown: newer than all in INFs."""

# SIGNERSCORE_* of setupapi.h. netboot compares a catalog file with the driver's files; Windows also
# verifies who signed it. Since Windows 7 all trusted signers have the same score.
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
    """A driver that matches a device by `device_id`, with its `rank` (lower is better)."""

    driver: Driver
    model: Model
    device_id: str
    rank: int

    @property
    def order(self) -> tuple[int, int, tuple[int, ...], str]:
        """The sort key, best match first; the digest only makes the order stable."""
        date = int(self.driver.date.replace("-", "") or 0)
        version = tuple(-number for number in version_numbers(self.driver.version))
        return self.rank, -date, version, self.driver.digest

    @property
    def explanation(self) -> str:
        how = _HOW[self.rank & 0xF000]
        trust = {SIGNED: "signed"}.get(self.rank >> 24, "not signed")
        dated = " of ".join(part for part in (self.driver.version, self.driver.date) if part)
        return f"{self.device_id} is {how}; {trust}; {dated or 'no version'}; rank {self.rank:08X}."


class Package(Protocol):
    """What conflicts need of a driver: a Driver or a DriverSummary."""

    @property
    def digest(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def inf_name(self) -> str: ...
    @property
    def provider(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def enabled(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Conflict:
    """Drivers that claim the same hardware id on one architecture, in no order."""

    hardware_id: str
    architecture: Architecture
    drivers: tuple[Package, ...]


class _Claim(NamedTuple):
    """An id of a model: `position` 0 is the hardware id, 1 the first compatible one."""

    driver: Driver
    model: Model
    position: int


class _DeviceId(NamedTuple):
    """An id of a device and its `position` in its list."""

    text: str
    position: int
    is_hardware: bool


def version_numbers(version: str) -> tuple[int, ...]:
    """`1.2.3` as (1, 2, 3, 0); what is not a number counts as 0."""
    numbers = [int(part) if part.isdecimal() else 0 for part in version.split(".")[:4]]
    return tuple(numbers + [0] * (4 - len(numbers)))


class DriverIndex:
    """Drivers by the ids that they claim, for many devices.

    Extension INFs and software components claim ids too, but are never a device's function driver:
    they neither match nor conflict.
    A claim is stored as one number (model and position): a catalog has a million of them, and
    most ids are claimed once.
    """

    def __init__(self, drivers: Iterable[Driver]) -> None:
        self.drivers = tuple(drivers)
        self._models: list[tuple[Driver, Model]] = []
        self._first: dict[str, int] = {}
        self._more: dict[str, list[int]] = {}
        self._known: dict[tuple[Device, Architecture, int], Match | None] = {}
        for driver in self.drivers:
            for model in driver.models if driver.kind.drives else ():
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
        """Every driver that matches the device, the best first."""
        found: dict[str, Match] = {}
        lists = ((device.hardware_ids(build), True), (device.compatible_ids(), False))
        identifiers = [
            _DeviceId(text, position, is_hardware)
            for ids, is_hardware in lists
            for position, text in enumerate(ids)
        ]
        for identifier in identifiers:
            for claim in self._claims_of(identifier.text):
                span = claim.model.span
                if span.architecture is not architecture or not span.holds(build):
                    continue
                match = _match(identifier, claim)
                rival = found.get(claim.driver.digest)
                if rival is None or match.rank < rival.rank:
                    found[claim.driver.digest] = match
        return sorted(found.values(), key=lambda match: match.order)

    def best(
        self, device: Device, architecture: Architecture, *, build: int = NEWEST
    ) -> Match | None:
        """The driver that the device gets; the answers are cached."""
        key = (device, architecture, build)
        if key not in self._known:
            self._known[key] = next(iter(self.matches(device, architecture, build=build)), None)
        return self._known[key]

    @cached_property
    def conflicts(self) -> tuple[Conflict, ...]:
        """Hardware ids that two different packages claim on the same builds."""
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
    """What the versions of a package have in common: the provider and the name of the INF."""
    return driver.provider.casefold(), driver.inf_name.casefold()


def id_conflicts(
    claimed: Iterable[tuple[str, Sequence[tuple[Package, Span]]]],
) -> tuple[Conflict, ...]:
    """The conflicts among hardware ids, each given with the packages that claim it, and where."""
    found = []
    for identifier, claims in claimed:
        for architecture in {span.architecture for _, span in claims}:
            drivers = _rivals([one for one in claims if one[1].architecture is architecture])
            if drivers:
                found.append(Conflict(identifier, architecture, drivers))
    return tuple(sorted(found, key=lambda c: (c.hardware_id, c.architecture)))


def service_clashes(drivers: Iterable[Driver]) -> tuple[Conflict, ...]:
    """`service_conflicts` of whole drivers, except where all install one program."""
    held = [driver for driver in drivers if driver.kind.drives]
    found = service_conflicts(
        (driver, {(m.service.casefold(), m.architecture) for m in driver.models if m.service})
        for driver in held
    )
    return without_twins(found, held)


def without_twins(found: Iterable[Conflict], drivers: Iterable[Driver]) -> tuple[Conflict, ...]:
    """The clashes of services whose drivers install different programs.

    INFs of one vendor package often install one service from one .sys: whichever is loaded last,
    the service runs the same program. `drivers` are those of the conflicts, with their files.
    """
    programs = {driver.digest: _programs_of(driver) for driver in drivers}
    return tuple(
        one for one in found if not _is_one([programs[driver.digest] for driver in one.drivers])
    )


def _programs_of(driver: Driver) -> dict[str, str]:
    return {
        path: file.digest
        for file in driver.files
        if (path := file.path.casefold()).endswith((".sys", ".sy_"))
    }


def _is_one(programs: Sequence[dict[str, str]]) -> bool:
    """Whether all have a program in common, and none has another one of the same name."""
    shared = set[str].intersection(*(set(one.values()) for one in programs))
    named: dict[str, set[str]] = {}
    for path, digest in (pair for one in programs for pair in one.items()):
        named.setdefault(path, set()).add(digest)
    return bool(shared) and all(len(digests) == 1 for digests in named.values())


def service_conflicts(
    installing: Iterable[tuple[Package, Iterable[tuple[str, Architecture]]]],
) -> tuple[Conflict, ...]:
    """Packages of different families that install a service of the same name.

    Windows has one service of each name: the package that is loaded later replaces it, and the
    devices of the other one run, or fail, with the wrong program. Each package is given with the
    casefolded names of its services; `hardware_id` in the result is the name.
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
    """The drivers that claim an id on the same build as a driver of another family.

    Versions of one package are no conflict: Windows takes the newest.
    """
    drivers: dict[str, Package] = {}
    for build in {span.minimum_build for _, span in claims}:
        active = [driver for driver, span in claims if span.holds(build)]
        if len({family(driver) for driver in active}) > 1:
            drivers |= {driver.digest: driver for driver in active}
    return tuple(drivers.values())


def _match(identifier: _DeviceId, claim: _Claim) -> Match:
    # The rows and columns of the table in "Driver Rank Example": a hardware id of the device
    # outranks a compatible one, then a hardware id of the INF a compatible one.
    if identifier.is_hardware:
        kind = _HARDWARE_COMPATIBLE if claim.position else _HARDWARE_HARDWARE
        score = kind + identifier.position
    elif claim.position:
        step = min(claim.position - 1, 0xF) << 8
        score = _COMPATIBLE_COMPATIBLE + step + min(identifier.position, _LAST_POSITION)
    else:
        score = _COMPATIBLE_HARDWARE + identifier.position
    if claim.driver.signature is not Signature.NONE:
        signature = SIGNED
    else:
        signature = UNSIGNED if claim.model.decorated else UNSIGNED_AND_UNDECORATED
    total = signature << 24 | (claim.model.feature_score & 0xFF) << 16 | score
    return Match(claim.driver, claim.model, identifier.text, total)
