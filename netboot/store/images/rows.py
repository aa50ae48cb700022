"""Converts boot images between values and rows of the database."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic_core import from_json
from sqlalchemy import ColumnElement, Select, Text, bindparam, cast, select, true
from sqlalchemy import Row as SqlRow
from sqlalchemy.orm import InstrumentedAttribute, Session

from netboot.errors import AlreadyExists, Difference, EditConflict, NotFound
from netboot.images.architecture import Architecture
from netboot.images.boot_image.boot_image import BootImage, SourceWim, slug
from netboot.images.boot_image.description import ImageFacts
from netboot.images.boot_image.properties import Properties
from netboot.images.boot_image.secrets import SecretFinding
from netboot.images.drivers.driver import Driver
from netboot.images.versions.content_version import ContentVersion
from netboot.store.database.records import DriverRow, ImageDriverRow, ImageRow, VersionRow
from netboot.store.drivers.rows import load_drivers, load_packages


@dataclass(frozen=True, slots=True)
class ReadImage:
    """An image as it was read to be shown, from columns alone.

    `row` has the columns of ImageRow as attributes, except facts and properties, `held` those
    of its versions that change (`number`, `secrets`, `findings`, `altered`), newest first.
    """

    row: SqlRow[Any]
    image: BootImage
    facts: ImageFacts
    versions: tuple[ContentVersion, ...]
    held: tuple[SqlRow[Any], ...]


def find_image(session: Session, name: str) -> ImageRow:
    """The row of an image by its name, its slug, or the name that it had at first.

    Raises NotFound naming those there are.
    """
    return session.get_one(ImageRow, _number_of(session, name))


def _number_of(session: Session, name: str) -> int:
    short = slug(name)
    for query, wanted in zip(_NUMBERS, (name, short, short), strict=True):
        number = session.scalar(query, {"wanted": wanted})
        if number is not None:
            return number
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
    """The image as the rules know it."""
    return _image(row, drivers_of(session, row), Properties.from_json(row.properties))


def read_images(session: Session) -> list[ReadImage]:
    """All images by name, read at once; their drivers come without models."""
    return _read(session, None, with_models=False)


def read_image(session: Session, name: str) -> ReadImage:
    """One image, as `find_image` finds it, its drivers whole. Raises NotFound."""
    (found,) = _read(session, _number_of(session, name), with_models=True)
    return found


def _read(session: Session, number: int | None, *, with_models: bool) -> list[ReadImage]:
    """One image, or all by name."""
    images, drivers, built = _OF_ALL if number is None else _OF_ONE
    which = {} if number is None else {"number": number}
    rows = session.execute(images, which).all()
    recipes: dict[int, list[str]] = {row.id: [] for row in rows}
    for image, digest in session.execute(drivers, which):
        recipes[image].append(digest)
    versions: dict[int, list[SqlRow[Any]]] = {row.id: [] for row in rows}
    for held in session.execute(built, which):
        versions[held.image_id].append(held)
    digests = {digest for recipe in recipes.values() for digest in recipe}
    if with_models:
        whole = load_drivers(session, DriverRow.digest.in_(digests)) if digests else []
        known = {driver.digest: driver for driver in whole}
    else:
        known = load_packages(session, digests)
    return [
        ReadImage(
            row,
            _image(row, (known[digest] for digest in recipes[row.id]), _properties(row.properties)),
            _facts(row.facts),
            tuple(_version(held.manifest, row.name, row.address) for held in versions[row.id]),
            tuple(versions[row.id]),
        )
        for row in rows
    ]


_SHOWN = (
    *(ImageRow.id, ImageRow.name, ImageRow.slug, ImageRow.address, ImageRow.architecture),
    *(ImageRow.source_digest, ImageRow.source_size, ImageRow.source_name, ImageRow.image_index),
    *(
        cast(ImageRow.facts, Text).label("facts"),
        cast(ImageRow.properties, Text).label("properties"),
    ),
    *(ImageRow.comment, ImageRow.version_label, ImageRow.is_lab, ImageRow.candidate),
    *(ImageRow.override, ImageRow.source_altered_at, ImageRow.row_version),
)
_BUILT = (
    *(VersionRow.image_id, VersionRow.number, cast(VersionRow.manifest, Text).label("manifest")),
    *(VersionRow.secrets, VersionRow.findings, VersionRow.altered),
)


def _statements(*, one: bool) -> tuple[Select[*tuple[Any, ...]], ...]:
    """Images, their recipes and their versions: of all, or of the one with `number`."""

    def meant(column: InstrumentedAttribute[int]) -> ColumnElement[bool]:
        return column == bindparam("number") if one else true()

    recipes = select(ImageDriverRow.image_id, ImageDriverRow.driver_digest)
    return (
        select(*_SHOWN).where(meant(ImageRow.id)).order_by(ImageRow.name),
        recipes.where(meant(ImageDriverRow.image_id)).order_by(ImageDriverRow.position),
        select(*_BUILT).where(meant(VersionRow.image_id)).order_by(VersionRow.number.desc()),
    )


# Made once: SQLAlchemy takes longer to make these than SQLite to run them.
_OF_ALL, _OF_ONE = _statements(one=False), _statements(one=True)
_NUMBERS = [
    select(ImageRow.id).where(column == bindparam("wanted"))
    for column in (ImageRow.name, ImageRow.slug, ImageRow.address)
]


@lru_cache(maxsize=256)
def _version(manifest: str, name: str, address: str) -> ContentVersion:
    """A manifest never changes: parsing it is a function of its text and what it is called now."""
    return ContentVersion.from_json(from_json(manifest)).called(name, address)


@lru_cache(maxsize=64)
def _facts(text: str) -> ImageFacts:
    """What the text of an image's facts says."""
    return ImageFacts.from_json(from_json(text))


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


def secrets_in(row: VersionRow | SqlRow[Any]) -> tuple[SecretFinding, ...]:
    """The secrets that the build of a version saw, those of its source among them."""
    return tuple(SecretFinding(**secret) for secret in row.secrets)


def versions_of(row: ImageRow) -> tuple[ContentVersion, ...]:
    """All versions, newest first."""
    return tuple(version_value(row, version) for version in row.versions)


def version_value(row: ImageRow, version: VersionRow) -> ContentVersion:
    """A version, under the current name of its image."""
    return ContentVersion.from_json(version.manifest).called(row.name, row.address)


@lru_cache(maxsize=64)
def _properties(text: str) -> Properties:
    """What the text of an image's properties says."""
    return Properties.from_json(from_json(text))


def _image(
    row: ImageRow | SqlRow[Any], drivers: Iterable[Driver], properties: Properties
) -> BootImage:
    return BootImage(
        name=row.name,
        slug=row.slug,
        architecture=Architecture(row.architecture),
        source=SourceWim(row.source_digest, row.source_size, row.image_index),
        drivers=tuple(drivers),
        properties=properties,
        comment=row.comment,
    )
