"""The driver catalog: one driver at a time, looked at, enabled, sorted, deleted."""

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
    """Drivers that fit all conditions, by name. `search` looks at names, makers and ids."""
    wanted = DriverFilter(search, kind=kind, architecture=architecture, enabled=enabled)
    return list(search_drivers(site, wanted).drivers)


def get_driver(site: Site, driver: str) -> Driver:
    """One driver, by digest, beginning of a digest, or name. Raises NotFound, InvalidInput."""
    with site.database.transaction() as session:
        return driver_value(find_driver(session, driver))


def enable_driver(site: Site, driver: str) -> Driver:
    """Let the driver be added to images.

    Raises NotFound, or InvalidInput for a package whose files are missing.
    """
    with site.database.writing() as session:
        row = find_driver(session, driver)
        enable_row(row)
        return driver_value(row)


def disable_driver(site: Site, driver: str) -> Driver:
    """Stop the driver from being added; images that hold it keep it and say so."""
    with site.database.writing() as session:
        row = find_driver(session, driver)
        row.enabled = False
        return driver_value(row)


def set_categories(site: Site, driver: str, categories: Iterable[str]) -> Driver:
    """Sort the driver into these categories and no others; without any, into none.

    Raises NotFound, InvalidInput.
    """
    words = catalog.clean_categories(categories)
    with site.database.writing() as session:
        row = find_driver(session, driver)
        row.categories = "\n".join(words)
        return driver_value(row)


def images_using(site: Site, driver: str) -> tuple[str, ...]:
    """Names of the images whose recipe holds the driver."""
    with site.database.transaction() as session:
        return used_by(session, find_driver(session, driver).digest)


def images_to_choose(site: Site) -> tuple[ImageChoice, ...]:
    """All images by name, as far as choosing one needs."""
    query = select(ImageRow.name, ImageRow.slug, ImageRow.architecture).order_by(ImageRow.name)
    with site.database.transaction() as session:
        rows = session.execute(query).all()
    return tuple(ImageChoice(name, slug, Architecture(word)) for name, slug, word in rows)


def delete_driver(site: Site, driver: str) -> None:
    """Remove a driver from the catalog. Raises InUse naming the images that hold it."""
    with site.database.writing() as session:
        delete_row(session, find_driver(session, driver))


def enable_row(row: DriverRow) -> None:
    """Let a driver be added to images. Raises InvalidInput for a package that lacks files."""
    catalog.check_enable(driver_value(row))
    row.enabled = True


def delete_row(session: Session, row: DriverRow) -> None:
    """Remove a driver from the catalog. Raises InUse naming the images that hold it."""
    catalog.check_delete(driver_value(row), used_by(session, row.digest))
    remove_driver(session, row)


def find_driver(
    session: Session, driver: str, *, architecture: Architecture | None = None
) -> DriverRow:
    """The row by digest, beginning of a digest, or name.

    Where a name fits several packages, `architecture` chooses among them. Raises NotFound, or
    InvalidInput when it is still unclear which is meant.
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
            hint="`netboot driver list` shows them; import it first if it is not there.",
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
    """Names of the images whose recipe holds the driver of this digest."""
    query = (
        select(ImageRow.name)
        .join(ImageDriverRow)
        .where(ImageDriverRow.driver_digest == digest)
        .order_by(ImageRow.name)
    )
    return tuple(session.scalars(query))
