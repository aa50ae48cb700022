"""Coverage over the API: which machines will start with a network, before they boot."""

from pydantic import BaseModel, Field

from netboot.images.coverage import MachineCoverage
from netboot.operations.machines import coverage as operations
from web.api.images.images import ImagePath
from web.api.subject import Order, Subject, Value
from web.guard.access import Role, site

coverage = Subject("coverage", "Driver coverage of a boot image for its machines.", below="images")


class Which(BaseModel):
    """Which machines, and which version of the boot image."""

    everybody: bool = Field(
        default=False, description="All machines, not only those that boot this image."
    )
    served: bool = Field(default=False, description="The served version instead of the next one.")


class Lacking(Value):
    """A device without a driver, and catalog drivers that support it, best first."""

    device: str
    kind: str
    fixes: list[str]


class MachineCovered(Value):
    """The coverage of one machine."""

    machine: str
    network: str
    storage: str
    lacking: list[Lacking]

    @staticmethod
    def of(found: MachineCoverage) -> "MachineCovered":
        return MachineCovered(
            machine=found.machine.name,
            network=found.network.value,
            storage=found.storage.value,
            lacking=[
                Lacking(
                    device=one.device.label,
                    kind=one.kind.value,
                    fixes=[fix.driver.digest for fix in one.fixes],
                )
                for one in found.lacking
            ],
        )


class Covered(Value):
    """A boot image checked against its machines; `unneeded` drivers are needed by none of them."""

    machines: list[MachineCovered]
    unneeded: list[str]


class Everybody(Order):
    """Whether to include machines that boot another image."""

    everybody: bool = False


class ChangedDrivers(Value):
    """Drivers that were added or removed, by digest."""

    drivers: list[str]


@coverage.verb("GET", "/<slug>/coverage", needs=Role.VIEWER)
def get_coverage(path: ImagePath, query: Which) -> Covered:
    """Check a boot image against the machines that boot it."""
    found = operations.coverage(site(), path.slug, everybody=query.everybody, served=query.served)
    return Covered(
        machines=[MachineCovered.of(machine) for machine in found.machines],
        unneeded=[weight.driver.digest for weight in found.unneeded],
    )


@coverage.verb("POST", "/<slug>/coverage/fix", needs=Role.OPERATOR, action="fix_all")
def fix_coverage(path: ImagePath, body: Everybody) -> ChangedDrivers:
    """Enable and add the best driver for each device without one."""
    added = operations.fix_all(site(), path.slug, everybody=body.everybody)
    return ChangedDrivers(drivers=[driver.digest for driver in added])


@coverage.verb(
    "POST", "/<slug>/coverage/remove-unneeded", needs=Role.OPERATOR, action="remove_unneeded"
)
def remove_unneeded_drivers(path: ImagePath, body: Everybody) -> ChangedDrivers:
    """Remove drivers from the recipe that no known machine needs."""
    removed = operations.remove_unneeded(site(), path.slug, everybody=body.everybody)
    return ChangedDrivers(drivers=[driver.digest for driver in removed])
