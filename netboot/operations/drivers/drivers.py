"""The driver catalog, one driver at a time: find, enable, sort into categories, delete."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from netboot.errors import InvalidInput, NotFound
from netboot.images.architecture import Architecture
from netboot.images.drivers import catalog
from netboot.images.drivers.catalog import DriverFilter
from netboot.images.drivers.driver import Driver, DriverKind
from netboot.operations.drivers.search import search_drivers
from netboot.site import Site
from netboot.store.database.records import DriverRow, ImageDriverRow, ImageRow
from netboot.store.drivers.entry import DriverSummary
from netboot.store.drivers.rows import driver_value, remove_driver


@dataclass(frozen=True, slots=True)
class ImageChoice:
    """An image to which drivers may be added."""

    name: str
    slug: str
    architecture: Architecture


def list_drivers(
    site: Site,
    *,
    search: str = "",
    kind: DriverKind | None = None,
    architecture: Architecture | None = None,
    enabled: bool | None = None,
) -> list[DriverSummary]:
    """Drivers that match all conditions, by name. `search` looks at names, makers and ids."""
    wanted = DriverFilter(search, kind=kind, architecture=architecture, enabled=enabled)
    return list(search_drivers(site, wanted).drivers)


def get_driver(site: Site, driver: str) -> Driver:
    """One driver, by digest, beginning of a digest, or name. Raises NotFound, InvalidInput."""
    with site.database.transaction() as session:
        return driver_value(find_driver(session, driver))


def enable_driver(site: Site, driver: str) -> Driver:
    """Allow the driver in images. Raises NotFound, InvalidInput if files of it are missing."""
    with site.database.writing() as session:
        row = find_driver(session, driver)
        enable_row(row)
        return driver_value(row)


def disable_driver(site: Site, driver: str) -> Driver:
    """Keep the driver out of more images; those that have it keep it and say so."""
    with site.database.writing() as session:
        row = find_driver(session, driver)
        row.enabled = False
        return driver_value(row)


def set_categories(site: Site, driver: str, categories: Iterable[str]) -> Driver:
    """Put the driver into these categories and no others. Raises NotFound, InvalidInput."""
    words = catalog.clean_categories(categories)
    with site.database.writing() as session:
        row = find_driver(session, driver)
        row.categories = "\n".join(words)
        return driver_value(row)


def images_using(site: Site, driver: str) -> tuple[str, ...]:
    """Names of the images whose recipe has the driver."""
    with site.database.transaction() as session:
        return used_by(session, find_driver(session, driver).digest)


def images_to_choose(site: Site) -> tuple[ImageChoice, ...]:
    query = select(ImageRow.name, ImageRow.slug, ImageRow.architecture).order_by(ImageRow.name)
    with site.database.transaction() as session:
        rows = session.execute(query).all()
    return tuple(ImageChoice(name, slug, Architecture(word)) for name, slug, word in rows)


def delete_driver(site: Site, driver: str) -> None:
    """Delete a driver. Raises InUse with the names of the images that have it."""
    with site.database.writing() as session:
        delete_row(session, find_driver(session, driver))


def enable_row(row: DriverRow) -> None:
    """As `enable_driver`, for a row."""
    catalog.check_enable(driver_value(row))
    row.enabled = True


def delete_row(session: Session, row: DriverRow) -> None:
    """As `delete_driver`, for a row."""
    catalog.check_delete(driver_value(row), used_by(session, row.digest))
    remove_driver(session, row)


def find_driver(
    session: Session, driver: str, *, architecture: Architecture | None = None
) -> DriverRow:
    """The row by digest, beginning of a digest, or name.

    If a name matches several packages, `architecture` chooses among them. Raises NotFound, or
    InvalidInput for a name that is still ambiguous.
    """
    wanted = driver.strip()
    row = session.scalar(select(DriverRow).where(DriverRow.digest == wanted))
    if row is not None:
        return row
    prefix = wanted.removeprefix("sha256:").lower()
    named = (DriverRow.name == wanted) | (DriverRow.name == wanted.removesuffix(".inf"))
    if re.fullmatch(r"[0-9a-f]{8,64}", prefix):
        named |= DriverRow.digest.startswith(f"sha256:{prefix}")
    rows = list(session.scalars(select(DriverRow).where(named).order_by(DriverRow.digest)))
    if architecture is not None and len(rows) > 1:
        rows = [row for row in rows if architecture.value in row.architectures.split(",")] or rows
    if not rows:
        raise NotFound(
            f'there is no driver "{driver}" in the catalog',
            hint="`netboot driver list` shows all; import it first if it is missing.",
        )
    if len(rows) > 1:
        choices = ", ".join(
            f"{row.digest[7:19]} ({row.version}, {row.architectures})" for row in rows[:5]
        )
        raise InvalidInput(
            f'{len(rows)} drivers are called "{driver}"', hint=f"Name one by digest: {choices}."
        )
    return rows[0]


def used_by(session: Session, digest: str) -> tuple[str, ...]:
    query = (
        select(ImageRow.name)
        .join(ImageDriverRow)
        .where(ImageDriverRow.driver_digest == digest)
        .order_by(ImageRow.name)
    )
    return tuple(session.scalars(query))
