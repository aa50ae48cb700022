"""Driver conflicts and driver matching over the API."""

from collections.abc import Iterable

from pydantic import BaseModel, Field

from netboot.images.architecture import Architecture
from netboot.images.drivers.device import parse_devices
from netboot.images.drivers.known_pairs import Clash
from netboot.images.drivers.matching import Conflict, Match, Package
from netboot.operations.drivers import relations as driver_relations
from netboot.operations.machines import coverage
from web.api.drivers.known_pairs import Pair
from web.api.subject import Subject, Value
from web.guard.access import Role, site

driver_conflicts = Subject("driver-conflicts", "Conflicts between drivers.")
driver_match = Subject("driver-match", "The driver for a device.")

SHOWN = 1000


class Named(Value):
    """A driver, in short form."""

    digest: str
    name: str
    version: str
    provider: str
    enabled: bool

    @staticmethod
    def all_of(drivers: Iterable[Package]) -> "list[Named]":
        return [Named.of(driver) for driver in drivers]


class ClashShown(Value):
    """Drivers that a known conflict applies to."""

    pair: Pair
    first: list[Named]
    second: list[Named]

    @staticmethod
    def of(clash: Clash) -> "ClashShown":
        return ClashShown(
            pair=Pair.of(clash.pair),
            first=Named.all_of(clash.first),
            second=Named.all_of(clash.second),
        )


class Claimed(Value):
    """A hardware ID or service that several drivers claim on one architecture."""

    claimed: str
    architecture: str
    drivers: list[Named]

    @staticmethod
    def of(conflict: Conflict) -> "Claimed":
        return Claimed(
            claimed=conflict.hardware_id,
            architecture=conflict.architecture.value,
            drivers=Named.all_of(conflict.drivers),
        )


class ConflictsShown(Value):
    """Driver conflicts: known conflicts, several versions of one driver, IDs and services."""

    pairs: list[ClashShown]
    versions: list[list[Named]] = Field(description="Only for one boot image; newest last.")
    ids: list[Claimed] = Field(description=f"At most {SHOWN}.")
    ids_total: int
    services: list[Claimed]


class Among(BaseModel):
    """Which drivers to compare."""

    image: str = Field(
        "", max_length=100, description="Name or slug; default: all enabled drivers."
    )


class Wanted(BaseModel):
    """A device, and the Windows PE that drives it."""

    device: str = Field(min_length=1, max_length=400, description="PNPDeviceID or `8086:15be`.")
    architecture: Architecture = Architecture.X64
    build: int = Field(0, ge=0, le=1 << 29, description="Build of Windows PE; 0 for the newest.")


class Candidate(Value):
    """A driver that supports the device, and its rank."""

    driver: Named
    device_id: str
    rank: str = Field(description="Hexadecimal; the lowest rank wins.")
    why: str

    @staticmethod
    def of(match: Match) -> "Candidate":
        return Candidate(
            driver=Named.of(match.driver),
            device_id=match.device_id,
            rank=f"{match.rank:08X}",
            why=match.explanation,
        )


class Candidates(Value):
    """Drivers for a device; Windows selects the first."""

    device: str
    items: list[Candidate]


@driver_conflicts.verb("GET", "", needs=Role.VIEWER)
def get_driver_conflicts(query: Among) -> ConflictsShown:
    """List conflicts between the drivers of a boot image, or all enabled drivers."""
    found = driver_relations.conflicts(site(), query.image)
    return ConflictsShown(
        pairs=[ClashShown.of(one) for one in found.pairs],
        versions=[Named.all_of(one) for one in found.versions],
        ids=[Claimed.of(one) for one in found.ids[:SHOWN]],
        ids_total=len(found.ids),
        services=[Claimed.of(one) for one in found.services],
    )


@driver_match.verb("GET", "", needs=Role.VIEWER)
def match_driver(query: Wanted) -> Candidates:
    """Find the driver that Windows would select for a device, and the alternatives."""
    device = parse_devices(query.device).devices[0]
    found = coverage.candidates(site(), device, query.architecture, build=query.build)
    return Candidates(device=device.label, items=[Candidate.of(one) for one in found])
