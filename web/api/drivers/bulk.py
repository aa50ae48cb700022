"""Several drivers at once over the API, and a driver among the others of the catalog."""

from pydantic import Field

from netboot.operations.drivers import bulk as operations
from netboot.operations.drivers import drivers as one_by_one
from netboot.operations.drivers import relations as driver_relations
from web.api.drivers.drivers import DriverListed, DriverPath
from web.api.subject import Order, Subject, Value
from web.guard.access import Role, site

driver_sets = Subject(
    "driver-sets", "Several drivers at once; a driver among the others.",
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
