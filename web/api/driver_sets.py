"""Several drivers at once over the API, and what drivers of the catalog are to each other."""

from pydantic import BaseModel, Field

from netboot.errors import InvalidInput
from netboot.images.architecture import Architecture
from netboot.images.device import parse_devices
from netboot.images.matching import Conflict
from netboot.operations import coverage, driver_relations
from netboot.operations import driver_sets as operations
from netboot.operations import drivers as one_by_one
from web.access import Role, site
from web.api.drivers import DriverListed, DriverPath
from web.api.subject import LARGEST_NUMBER, Listed, Order, Page, Subject, Value, listed_of

driver_sets = Subject(
    "driver-sets", "Several drivers at once; rivals, conflicts, and who is for a device.",
    below="drivers",
)  # fmt: skip

AT_ONCE = 1000


class ChosenDrivers(Order):
    """Drivers by digest or name."""

    drivers: list[str] = Field(min_length=1, max_length=AT_ONCE)


class Sorting(ChosenDrivers):
    """Categories that the chosen drivers get, and those that they lose; others stay."""

    add: list[str] = Field(default_factory=list, max_length=50)
    remove: list[str] = Field(default_factory=list, max_length=50)


class Refusal(Value):
    """A driver that was left as it is, and why."""

    name: str
    reason: str


class Treated(Value):
    """What came of it, driver by driver."""

    drivers: list[DriverListed]
    refused: list[Refusal]

    @staticmethod
    def of(found: operations.Treated) -> "Treated":
        """What the operation tells."""
        return Treated(
            drivers=[DriverListed.of(driver) for driver in found.drivers],
            refused=[Refusal(name=name, reason=reason) for name, reason in found.refused],
        )


class Rival(Value):
    """Another package that claims some of the same hardware ids."""

    driver: DriverListed
    hardware_ids: list[str]


class Relations(Value):
    """A driver among the others: newer and older versions, and rivals for its devices."""

    superseded_by: DriverListed | None
    versions: list[DriverListed]
    rivals: list[Rival]


class Clash(Value):
    """Drivers that claim one device, or install one service, on one architecture."""

    kind: str = Field(description="device or service")
    claimed: str
    architecture: str
    drivers: list[DriverListed]


class Clashes(Listed):
    """A part of the conflicts: those about devices first."""

    items: list[Clash]


class ClashSearch(Page):
    """Among which drivers."""

    image: str = Field("", max_length=100, description="Those of this image; else all enabled.")


class DeviceSearch(BaseModel):
    """A device, and the Windows PE that it would meet."""

    device: str = Field(
        min_length=1, max_length=400, description="A PNPDeviceID, a hardware id, or 8086:15be."
    )
    architecture: Architecture = Architecture.X64
    build: int = Field(0, ge=0, le=LARGEST_NUMBER, description="Of the Windows PE; 0: the newest.")


class Match(Value):
    """A driver for the device; `rank` as Windows gives it (the lowest wins), and why."""

    driver: DriverListed
    device_id: str
    rank: str
    explanation: str


class Matches(Value):
    """Drivers for the device, the one that Windows takes first."""

    device: str
    items: list[Match]


@driver_sets.verb(
    "POST", "/chosen/enable", needs=Role.OPERATOR, gives=Treated, action="enable_chosen"
)
def enable_drivers(body: ChosenDrivers) -> Treated:
    """Let all of these be added to images; one that cannot be is told with the reason."""
    return Treated.of(operations.enable(site(), body.drivers))


@driver_sets.verb(
    "POST", "/chosen/disable", needs=Role.OPERATOR, gives=Treated, action="disable_chosen"
)
def disable_drivers(body: ChosenDrivers) -> Treated:
    """Keep all of these from being added to more images."""
    return Treated.of(operations.disable(site(), body.drivers))


@driver_sets.verb(
    "POST", "/chosen/categories", needs=Role.OPERATOR, gives=Treated, action="sort_chosen"
)
def sort_drivers(body: Sorting) -> Treated:
    """Sort all of these into categories, or out of them."""
    return Treated.of(operations.sort(site(), body.drivers, add=body.add, remove=body.remove))


@driver_sets.verb("POST", "/chosen/delete", needs=Role.ADMIN, gives=Treated, action="delete_chosen")
def delete_drivers(body: ChosenDrivers) -> Treated:
    """Remove all of these from the catalog; those that an image holds stay, and are told."""
    return Treated.of(operations.delete(site(), body.drivers))


@driver_sets.verb("GET", "/<driver>/relations", needs=Role.VIEWER, gives=Relations)
def get_driver_relations(path: DriverPath) -> Relations:
    """A driver among the others: its versions, and rivals for its devices."""
    digest = one_by_one.get_driver(site(), path.driver).digest
    found = driver_relations.relations(site(), digest)
    newer = found.superseded_by
    return Relations(
        superseded_by=DriverListed.of(newer) if newer else None,
        versions=[DriverListed.of(driver) for driver in found.versions],
        rivals=[
            Rival(driver=DriverListed.of(rival.driver), hardware_ids=list(rival.hardware_ids))
            for rival in found.rivals
        ],
    )


@driver_sets.verb("GET", "/conflicts", needs=Role.VIEWER, gives=Clashes)
def list_driver_conflicts(query: ClashSearch) -> Clashes:
    """Drivers that claim the same device, or install a service of the same name."""
    found = driver_relations.conflicts(site(), query.image)
    pairs = [("device", one) for one in found.ids] + [("service", one) for one in found.services]
    return listed_of(Clashes, pairs, query, _clash)


@driver_sets.verb("GET", "/match", needs=Role.VIEWER, gives=Matches)
def match_drivers(query: DeviceSearch) -> Matches:
    """Which drivers of the catalog are for a device, as Windows would choose, and why."""
    devices = parse_devices(query.device).devices
    if not devices:
        raise InvalidInput(
            f"{query.device[:80]!r} names no device", hint="Like PCI\\VEN_8086&DEV_100E."
        )
    found = coverage.candidates(site(), devices[0], query.architecture, build=query.build)
    return Matches(
        device=devices[0].label,
        items=[
            Match(
                driver=DriverListed.of(one.driver),
                device_id=one.device_id,
                rank=f"{one.rank:08X}",
                explanation=one.explanation,
            )
            for one in found
        ],
    )


def _clash(pair: tuple[str, Conflict]) -> Clash:
    kind, found = pair
    return Clash(
        kind=kind,
        claimed=found.hardware_id,
        architecture=found.architecture.value,
        drivers=[DriverListed.of(driver) for driver in found.drivers],
    )
