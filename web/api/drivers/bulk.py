"""Changes to several drivers at once over the API, and the relations of a driver."""

from pydantic import Field

from netboot.operations.drivers import bulk as operations
from netboot.operations.drivers import relations as driver_relations
from web.api.drivers.drivers import DriverListed, DriverPath
from web.api.subject import Order, Subject, Value
from web.guard.access import Role, site

driver_sets = Subject("driver-sets", "Several drivers at once; related drivers.", below="drivers")

AT_ONCE = 1000


class ChosenDrivers(Order):
    """Drivers by digest or name."""

    drivers: list[str] = Field(min_length=1, max_length=AT_ONCE)


class Sorting(ChosenDrivers):
    """Categories to add to and remove from the drivers; others stay."""

    add: list[str] = Field(default_factory=list, max_length=50)
    remove: list[str] = Field(default_factory=list, max_length=50)


class Refusal(Value):
    """A driver that was not changed, and why."""

    name: str
    reason: str


class Treated(Value):
    """The result for each driver."""

    drivers: list[DriverListed]
    refused: list[Refusal]

    @staticmethod
    def of(found: operations.Treated) -> "Treated":
        return Treated(
            drivers=[DriverListed.of(driver) for driver in found.drivers],
            refused=[Refusal(name=name, reason=reason) for name, reason in found.refused],
        )


class Rival(Value):
    """Another driver that claims some of the same hardware IDs."""

    driver: DriverListed
    hardware_ids: list[str]


class Relations(Value):
    """Newer and older versions of a driver, and other drivers for its devices."""

    superseded_by: DriverListed | None
    versions: list[DriverListed]
    rivals: list[Rival]


@driver_sets.verb("POST", "/chosen/enable", needs=Role.OPERATOR, action="enable_chosen")
def enable_drivers(body: ChosenDrivers) -> Treated:
    """Enable drivers. Drivers that cannot be enabled are returned with the reason."""
    return Treated.of(operations.enable(site(), body.drivers))


@driver_sets.verb("POST", "/chosen/disable", needs=Role.OPERATOR, action="disable_chosen")
def disable_drivers(body: ChosenDrivers) -> Treated:
    """Disable drivers."""
    return Treated.of(operations.disable(site(), body.drivers))


@driver_sets.verb("POST", "/chosen/categories", needs=Role.OPERATOR, action="sort_chosen")
def sort_drivers(body: Sorting) -> Treated:
    """Add drivers to categories, or remove them from categories."""
    return Treated.of(operations.sort(site(), body.drivers, add=body.add, remove=body.remove))


@driver_sets.verb("POST", "/chosen/delete", needs=Role.ADMIN, action="delete_chosen")
def delete_drivers(body: ChosenDrivers) -> Treated:
    """Delete drivers from the catalog. Drivers in use by a boot image are kept and returned."""
    return Treated.of(operations.delete(site(), body.drivers))


@driver_sets.verb("GET", "/<driver>/relations", needs=Role.VIEWER)
def get_driver_relations(path: DriverPath) -> Relations:
    """Get the other versions of a driver, and other drivers for its devices."""
    found = driver_relations.relations(site(), path.driver)
    newer = found.superseded_by
    return Relations(
        superseded_by=DriverListed.of(newer) if newer else None,
        versions=[DriverListed.of(driver) for driver in found.versions],
        rivals=[
            Rival(driver=DriverListed.of(rival.driver), hardware_ids=list(rival.hardware_ids))
            for rival in found.rivals
        ],
    )
