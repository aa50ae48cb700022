"""Converts boot images between values and rows of the database."""

import itertools
from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from netboot.errors import AlreadyExists, Difference, EditConflict, NotFound
from netboot.images.architecture import Architecture
from netboot.images.boot_image.boot_image import BootImage, SourceWim, slug
from netboot.images.boot_image.properties import Properties
from netboot.images.boot_image.secrets import SecretFinding
from netboot.images.drivers.driver import Driver
from netboot.images.versions.content_version import ContentVersion
from netboot.store.database.records import DriverRow, ImageDriverRow, ImageRow, VersionRow
from netboot.store.drivers.rows import load_drivers, load_packages


def find_image(session: Session, name: str) -> ImageRow:
    """The row of an image by its name, its slug, or its first name. Raises NotFound."""
    short = slug(name)
    for wanted in (ImageRow.name == name, ImageRow.slug == short, ImageRow.address == short):
        row = session.scalar(select(ImageRow).where(wanted))
        if row is not None:
            return row
    names = session.scalars(select(ImageRow.name).order_by(ImageRow.name)).all()
    known = ", ".join(f'"{known}"' for known in names) or "none yet"
    raise NotFound(f'there is no boot image "{name}"', hint=f"Boot images: {known}.")


def image_at(session: Session, address: str) -> ImageRow:
    """The row of an image by its address, which never changes. Raises NotFound."""
    row = session.scalar(select(ImageRow).where(ImageRow.address == address))
    if row is None:
        raise NotFound(
            f"the boot image at {address} no longer exists", hint="It may have been deleted."
        )
    return row


def free_address(session: Session, wanted: str) -> str:
    """The slug, with a number if an image that was renamed has it as its address."""
    taken = set(session.scalars(select(ImageRow.address)))
    return next(
        one
        for number in itertools.count(1)
        if (one := f"{wanted}-{number}" if number > 1 else wanted) not in taken
    )


def refuse_twin(session: Session, name: str, *, but: ImageRow | None = None) -> None:
    """Raise AlreadyExists if another image has this name or its slug."""
    same = (ImageRow.name == name) | (ImageRow.slug == slug(name))
    for twin in session.scalars(select(ImageRow).where(same)):
        if twin is not but:
            raise AlreadyExists(
                f'a boot image "{twin.name}" already exists', hint="Choose another name."
            )


def drivers_of(session: Session, row: ImageRow) -> tuple[Driver, ...]:
    """The drivers of an image's recipe, in order."""
    digests = [held.driver_digest for held in row.drivers]
    found = load_drivers(session, DriverRow.digest.in_(digests)) if digests else ()
    by_digest = {driver.digest: driver for driver in found}
    return tuple(by_digest[digest] for digest in digests)


def image_value(session: Session, row: ImageRow) -> BootImage:
    return _image(row, drivers_of(session, row))


def all_images(session: Session) -> list[tuple[ImageRow, BootImage]]:
    """All images by name, in few queries; their drivers have no models."""
    whole = (selectinload(ImageRow.drivers), selectinload(ImageRow.versions))
    rows = session.scalars(select(ImageRow).options(*whole).order_by(ImageRow.name)).all()
    held = {row.name: [entry.driver_digest for entry in row.drivers] for row in rows}
    known = load_packages(session, {digest for digests in held.values() for digest in digests})
    return [(row, _image(row, (known[digest] for digest in held[row.name]))) for row in rows]


def keep_drivers(row: ImageRow, image: BootImage) -> None:
    """Store the drivers of `image` in its row, in order."""
    held = {entry.driver_digest: entry for entry in row.drivers}
    kept = []
    for position, driver in enumerate(image.drivers):
        # Rows that exist must stay the same objects: SQLAlchemy inserts before it deletes.
        entry = held.get(driver.digest) or ImageDriverRow(driver_digest=driver.digest)
        entry.position = position
        kept.append(entry)
    row.drivers = kept
    row.row_version = row.row_version + 1


def unchanged(row: ImageRow, row_version: int | None, *wanted: Difference) -> ImageRow:
    """The row, if it still has the version `row_version`.

    Raises EditConflict with those of the `wanted` differences that remain.
    """
    if row_version is not None and row.row_version != row_version:
        raise EditConflict(
            f"another user changed {row.name} after you opened it",
            hint="Reload it and repeat your change.",
            difference=tuple(one for one in wanted if one.yours != one.theirs),
        )
    return row


def version_row(row: ImageRow, number: int) -> VersionRow:
    """The row of one version. Raises NotFound."""
    for held in row.versions:
        if held.number == number:
            return held
    known = ", ".join(str(held.number) for held in row.versions) or "none yet"
    raise NotFound(f"{row.name} has no version {number}", hint=f"Versions: {known}.")


def secrets_in(row: VersionRow) -> tuple[SecretFinding, ...]:
    """The secrets that the build found, including those of the source."""
    return tuple(SecretFinding(**secret) for secret in row.secrets)


def versions_of(row: ImageRow) -> tuple[ContentVersion, ...]:
    """All versions, newest first."""
    return tuple(version_value(row, version) for version in row.versions)


def version_value(row: ImageRow, version: VersionRow) -> ContentVersion:
    """A version, under the current name of its image."""
    return ContentVersion.from_json(version.manifest).called(row.name, row.address)


def _image(row: ImageRow, drivers: Iterable[Driver]) -> BootImage:
    return BootImage(
        name=row.name,
        slug=row.slug,
        architecture=Architecture(row.architecture),
        source=SourceWim(row.source_digest, row.source_size, row.image_index),
        drivers=tuple(drivers),
        properties=Properties.from_json(row.properties),
        comment=row.comment,
    )
