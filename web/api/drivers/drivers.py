"""The driver catalog over the API."""

from functools import partial
from typing import Self

from pydantic import BaseModel, Field

from netboot.images.architecture import Architecture
from netboot.images.drivers.catalog import DriverFilter
from netboot.images.drivers.driver import Driver, DriverKind, Signature
from netboot.operations.drivers import drivers as operations
from netboot.operations.drivers import importing as driver_import
from netboot.operations.drivers import known_pairs
from netboot.operations.drivers import relations as driver_relations
from netboot.operations.drivers.search import search_drivers
from netboot.store.drivers.entry import DriverSummary
from web.api.drivers.known_pairs import Pair
from web.api.jobs import Accepted, accepted
from web.api.subject import Listed, Order, Page, Subject, Value, listed
from web.api.uploads import FileUpload
from web.guard.access import Role, site
from web.uploads.tus import all_handed_in

drivers = Subject("drivers", "Driver catalog: import, enable, categorise.")

IDS_SHOWN = 1000


class DriverPath(BaseModel):
    """A driver by its digest, a prefix of its digest, or its name."""

    driver: str = Field(min_length=1, max_length=255)


class DriverListed(Value):
    """A driver as lists show it."""

    digest: str
    name: str
    inf_name: str
    provider: str
    kind: str
    class_name: str
    version: str
    date: str
    architectures: list[str]
    signature: str = Field(description="What the driver is signed by.")
    size: int = Field(description="Total size in bytes.")
    enabled: bool
    categories: list[str]
    findings: list[str] = Field(description="Warnings.")

    @classmethod
    def of(cls, found: DriverSummary | Driver) -> Self:
        return cls.model_validate(_common(found))


class DriverShown(DriverListed):
    """A driver with its devices and the boot images that contain it."""

    signed: str = Field(description="What is known about its signature, as a sentence.")
    catalog_checked: bool = Field(description="The catalog file matches the driver files.")
    hardware_ids: list[str] = Field(description=f"At most {IDS_SHOWN}.")
    images: list[str] = Field(description="Boot images that contain the driver.")
    superseded_by: str | None = Field(
        description="A newer version that supports all its hardware IDs."
    )
    versions: list[str] = Field(description="Other versions of the driver, newest first.")
    rivals: list[str] = Field(description="Other drivers that support the same hardware IDs.")
    known_pairs: list[Pair] = Field(description="Known conflicts of the driver.")


class DriverSearch(Page):
    """Filters; an empty value does not filter."""

    search: str = Field("", max_length=200, description="Name, provider or hardware ID.")
    kind: DriverKind | None = None
    architecture: Architecture | None = None
    enabled: bool | None = None
    signature: Signature | None = None
    findings: bool | None = Field(None, description="Only drivers with warnings, or without.")
    category: str = Field("", max_length=100)


class Categories(Order):
    """All categories of the driver."""

    categories: list[str] = Field(max_length=50)


class DriverImport(FileUpload):
    """Drivers from an upload: a folder, an INF, a ZIP or a CAB."""


def _common(driver: DriverSummary | Driver) -> dict[str, object]:
    return {
        "digest": driver.digest,
        "name": driver.name,
        "inf_name": driver.inf_name,
        "provider": driver.provider,
        "kind": driver.kind.value,
        "class_name": driver.class_name,
        "version": driver.version,
        "date": str(driver.date),
        "architectures": sorted(one.value for one in driver.architectures),
        "signature": driver.signature.value,
        "size": driver.size,
        "enabled": driver.enabled,
        "categories": list(driver.categories),
        "findings": list(driver.findings),
    }


def _shown(driver: Driver) -> DriverShown:
    others = driver_relations.relations(site(), driver.digest)
    known = known_pairs.partners_of(site(), driver.digest)
    return DriverShown(
        **_common(driver),
        signed=driver.signed,
        catalog_checked=driver.catalog_checked,
        hardware_ids=sorted(driver.hardware_ids)[:IDS_SHOWN],
        images=list(operations.images_using(site(), driver.digest)),
        superseded_by=others.superseded_by.digest if others.superseded_by else None,
        versions=[one.digest for one in others.versions],
        rivals=[one.driver.digest for one in others.rivals],
        known_pairs=[Pair.of(one.pair) for one in known],
    )


@drivers.verb("GET", "", needs=Role.VIEWER)
def list_drivers(query: DriverSearch) -> Listed[DriverListed]:
    """List drivers that match all filters, sorted by name."""
    wanted = DriverFilter(
        query.search,
        kind=query.kind,
        architecture=query.architecture,
        enabled=query.enabled,
        signature=query.signature,
        has_findings=query.findings,
        category=query.category,
    )
    found = search_drivers(site(), wanted, limit=query.limit, offset=query.offset)
    return listed(DriverListed, found.drivers, query, total=found.total)


@drivers.verb("POST", "", needs=Role.OPERATOR, status=202, action="import_drivers")
def import_drivers(body: DriverImport) -> Accepted:
    """Import uploaded drivers into the catalog. They are not enabled."""
    return accepted(all_handed_in(body.upload, partial(driver_import.ask_import, site())))


@drivers.verb("GET", "/<driver>", needs=Role.VIEWER)
def get_driver(path: DriverPath) -> DriverShown:
    """Get a driver."""
    return _shown(operations.get_driver(site(), path.driver))


@drivers.verb("DELETE", "/<driver>", needs=Role.ADMIN, action="delete")
def delete_driver(path: DriverPath) -> None:
    """Delete a driver from the catalog."""
    operations.delete_driver(site(), path.driver)


@drivers.verb("POST", "/<driver>/enable", needs=Role.OPERATOR, action="enable")
def enable_driver(path: DriverPath) -> DriverShown:
    """Enable a driver, so that it can be added to boot images."""
    return _shown(operations.enable_driver(site(), path.driver))


@drivers.verb("POST", "/<driver>/disable", needs=Role.OPERATOR, action="disable")
def disable_driver(path: DriverPath) -> DriverShown:
    """Disable a driver, so that it can no longer be added to boot images."""
    return _shown(operations.disable_driver(site(), path.driver))


@drivers.verb("PUT", "/<driver>/categories", needs=Role.OPERATOR, action="set_categories")
def set_driver_categories(path: DriverPath, body: Categories) -> DriverShown:
    """Set the categories of a driver."""
    return _shown(operations.set_categories(site(), path.driver, body.categories))
