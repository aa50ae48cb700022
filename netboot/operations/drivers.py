"""The driver catalog: import, enable, disable, search, delete."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from netboot.errors import InUse, InvalidInput, NotFound
from netboot.images.architecture import Architecture
from netboot.images.driver import Driver, DriverKind
from netboot.site import Site
from netboot.store.catalog_rows import driver_value
from netboot.store.records import DriverRow, HardwareIdRow, ImageDriverRow, ImageRow

Progress = Callable[[float, str], None]


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import brought. `refused` holds (path, reason) pairs."""

    new: tuple[Driver, ...]
    duplicates: tuple[Driver, ...]
    refused: tuple[tuple[str, str], ...]
    new_hardware_ids: tuple[str, ...] = ()


def list_drivers(
    site: Site,
    *,
    search: str = "",
    kind: DriverKind | None = None,
    architecture: Architecture | None = None,
    enabled: bool | None = None,
) -> list[Driver]:
    """Drivers that fit all conditions, by name. `search` looks at names, makers and ids."""
    query = select(DriverRow).order_by(DriverRow.name, DriverRow.version, DriverRow.digest)
    if search.strip():
        like = f"%{_escaped(search.strip())}%"
        by_id = select(HardwareIdRow.driver_digest).where(
            HardwareIdRow.hardware_id.ilike(like, escape="\\")
        )
        query = query.where(
            or_(
                DriverRow.name.ilike(like, escape="\\"),
                DriverRow.provider.ilike(like, escape="\\"),
                DriverRow.digest.in_(by_id),
            )
        )
    if kind is not None:
        query = query.where(DriverRow.kind == kind.value)
    if architecture is not None:
        query = query.where(DriverRow.architectures.contains(architecture.value))
    if enabled is not None:
        query = query.where(DriverRow.enabled == enabled)
    with site.database.transaction() as session:
        return [driver_value(row) for row in session.scalars(query)]


def get_driver(site: Site, driver: str) -> Driver:
    """One driver, by digest, beginning of a digest, or name. Raises NotFound, InvalidInput."""
    with site.database.transaction() as session:
        return driver_value(find_driver(session, driver))


def enable_driver(site: Site, driver: str) -> Driver:
    """Let the driver be added to images. Raises NotFound."""
    return _set_enabled(site, driver, enabled=True)


def disable_driver(site: Site, driver: str) -> Driver:
    """Stop the driver from being added; images that hold it keep it and say so."""
    return _set_enabled(site, driver, enabled=False)


def images_using(site: Site, driver: str) -> tuple[str, ...]:
    """Names of the images whose recipe holds the driver."""
    with site.database.transaction() as session:
        return _used_by(session, find_driver(session, driver).digest)


def delete_driver(site: Site, driver: str) -> None:
    """Remove a driver from the catalog. Raises InUse naming the images that hold it."""
    with site.database.writing() as session:
        row = find_driver(session, driver)
        images = _used_by(session, row.digest)
        if images:
            raise InUse(
                f"{row.name} is in {', '.join(images)}",
                hint="Remove it from these images first.",
            )
        session.delete(row)


def find_driver(
    session: Session, driver: str, *, architecture: Architecture | None = None
) -> DriverRow:
    """The row by digest, beginning of a digest, or name.

    Where a name fits several packages, `architecture` chooses among them. Raises NotFound, or
    InvalidInput when it is still unclear which is meant.
    """
    wanted = driver.strip()
    row = session.get(DriverRow, wanted)
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


def _set_enabled(site: Site, driver: str, *, enabled: bool) -> Driver:
    with site.database.writing() as session:
        row = find_driver(session, driver)
        row.enabled = enabled
        return driver_value(row)


def _used_by(session: Session, digest: str) -> tuple[str, ...]:
    query = (
        select(ImageRow.name)
        .join(ImageDriverRow)
        .where(ImageDriverRow.driver_digest == digest)
        .order_by(ImageRow.name)
    )
    return tuple(session.scalars(query))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
