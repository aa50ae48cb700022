"""Boot images: import a source, change the recipe, build a version."""

import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from netboot.errors import (
    AlreadyExists,
    Difference,
    EditConflict,
    InUse,
    InvalidInput,
    NotPermitted,
    WrongArchitecture,
)
from netboot.images import boot_image, catalog
from netboot.images.architecture import Architecture
from netboot.images.boot_image import BootImage, SourceWim, recipe_digest
from netboot.images.content_version import ContentVersion
from netboot.images.distribution import status
from netboot.images.driver import Driver
from netboot.images.image_facts import ImageFacts
from netboot.operations import policy
from netboot.operations.drivers import find_driver
from netboot.site import Site
from netboot.store.catalog_rows import driver_value
from netboot.store.image_rows import find_image, image_value, keep_drivers, versions_of
from netboot.store.records import DeploymentRow, ImageRow

Progress = Callable[[float, str], None]


@dataclass(frozen=True, slots=True)
class ImageView:
    """A boot image as pages, API and CLI show it.

    `versions` are newest first and `current` is the first of them; `served_version` is what
    machines get now. `distribution` is a DistributionStatus value. `disabled_drivers` are names
    of drivers that the recipe holds although they were disabled since.
    """

    name: str
    slug: str
    architecture: Architecture
    comment: str
    source_digest: str
    source_size: int
    source_name: str
    facts: ImageFacts
    drivers: tuple[Driver, ...]
    disabled_drivers: tuple[str, ...]
    versions: tuple[ContentVersion, ...]
    current: ContentVersion | None
    needs_build: bool
    distribution: str
    served_version: int | None
    is_default: bool
    is_lab: bool
    row_version: int


def list_images(site: Site) -> list[ImageView]:
    """All boot images, by name."""
    defaults = policy.defaults(site)
    with site.database.transaction() as session:
        rows = session.scalars(select(ImageRow).order_by(ImageRow.name))
        return [_view(site, session, row, defaults) for row in rows]


def get_image(site: Site, name: str) -> ImageView:
    """One image, by its name or slug. Raises NotFound."""
    defaults = policy.defaults(site)
    with site.database.transaction() as session:
        return _view(site, session, find_image(session, name), defaults)


def import_image(
    site: Site,
    path: Path,
    *,
    name: str,
    architecture: Architecture | None = None,
    index: int | None = None,
    comment: str = "",
    is_lab: bool = False,
    progress: Progress | None = None,
) -> ImageView:
    """Take a WIM in as the source of a new boot image. The file itself is not touched.

    Raises InvalidInput, NotPermitted or Quarantined for a file that cannot be used,
    WrongArchitecture when it is not what was asked for, AlreadyExists for a name that is taken.
    """
    tell = progress or (lambda _part, _stage: None)
    _require_free(site, name, comment)
    with _unchanging(path):
        facts = _look_into(site, path, index, tell)
        _require_architecture(path, facts, architecture)
        tell(0.6, "storing the source")
        blob = site.blobs.add_file(path)
    image = BootImage(
        name=name.strip(),
        slug=boot_image.slug(name),
        architecture=facts.architecture,
        source=SourceWim(blob.digest, blob.size, facts.index),
        comment=comment,
    )
    with site.database.writing() as session:
        _refuse_twin(session, image)
        session.add(_row(image, facts, path.name, is_lab=is_lab))
    policy.adopt(site, image.name, image.architecture)
    return get_image(site, image.name)


def add_driver(
    site: Site, image: str, driver: str, *, confirmed: bool = False, row_version: int | None = None
) -> ImageView:
    """Put a driver into the recipe; nothing is built and nothing served changes.

    Raises DriverNotEnabled, WrongArchitecture, NotBootCritical, AlreadyExists, EditConflict.
    """
    return add_drivers(site, image, (driver,), confirmed=confirmed, row_version=row_version)


def add_drivers(
    site: Site,
    image: str,
    drivers: Sequence[str],
    *,
    confirmed: bool = False,
    enable: bool = False,
    row_version: int | None = None,
) -> ImageView:
    """Put several drivers into the recipe: all of them, or none when one cannot be added.

    With `enable` they are enabled on the way. Raises what `add_driver` raises, and InvalidInput
    for a package that cannot be enabled.
    """
    with site.database.writing() as session:
        row = find_image(session, image)
        value = image_value(session, row)
        _require_unchanged(row, row_version, _drivers_difference(value, "with", drivers))
        for name in drivers:
            found = find_driver(session, name, architecture=value.architecture)
            if enable and not found.enabled:
                catalog.check_enable(driver_value(found))
                found.enabled = True
            value = boot_image.with_driver(value, driver_value(found), confirmed=confirmed)
        keep_drivers(row, value)
    return get_image(site, image)


def remove_driver(
    site: Site, image: str, driver: str, *, row_version: int | None = None
) -> ImageView:
    """Take a driver out of the recipe. Raises NotFound, EditConflict."""
    return remove_drivers(site, image, (driver,), row_version=row_version)


def remove_drivers(
    site: Site, image: str, drivers: Sequence[str], *, row_version: int | None = None
) -> ImageView:
    """Take several drivers out of the recipe: all of them, or none when one is not in it.

    Raises NotFound, EditConflict.
    """
    with site.database.writing() as session:
        row = find_image(session, image)
        value = image_value(session, row)
        _require_unchanged(row, row_version, _drivers_difference(value, "without", drivers))
        for name in drivers:
            held = {driver.name: driver.digest for driver in value.drivers}
            digest = (
                held.get(name.removesuffix(".inf"))
                or find_driver(session, name, architecture=value.architecture).digest
            )
            value = boot_image.without_driver(value, digest)
        keep_drivers(row, value)
    return get_image(site, image)


def set_comment(
    site: Site, image: str, comment: str, *, row_version: int | None = None
) -> ImageView:
    """Change the comment. Raises EditConflict, InvalidInput."""
    if len(comment) > boot_image.COMMENT_LIMIT:
        raise InvalidInput(f"a comment has at most {boot_image.COMMENT_LIMIT} characters")
    with site.database.writing() as session:
        row = find_image(session, image)
        _require_unchanged(row, row_version, Difference("comment", comment, row.comment))
        row.comment = comment
    return get_image(site, image)


def set_default(site: Site, image: str) -> ImageView:
    """Give this image to all machines of its architecture that have no other said for them."""
    view = get_image(site, image)
    policy.set_default(site, view.name, view.architecture)
    return get_image(site, image)


def delete_image(site: Site, image: str) -> None:
    """Stop serving an image and forget it. Raises InUse when machines are assigned to it."""
    with site.database.writing() as session:
        row = find_image(session, image)
        wants = session.scalars(
            select(DeploymentRow.mac).where(DeploymentRow.image_name == row.name)
        ).all()
        if wants:
            raise InUse(
                f"{row.name} is assigned to {len(wants)} machines: {', '.join(wants[:5])}",
                hint="Assign another image to them first.",
            )
        name = row.name
        session.delete(row)
        session.flush()
        # Before the commit: cut off here, the image is still known, and can be deleted again.
        site.point.forget(name)
    policy.drop(site, name)


def _digest_in(session: Session, image: BootImage, driver: str) -> str:
    """The driver that is meant: the one of this name in the image, else one of the catalog."""
    held = [one.digest for one in image.drivers if one.name == driver.removesuffix(".inf")]
    if len(held) == 1:
        return held[0]
    return find_driver(session, driver, architecture=image.architecture).digest


def _view(
    site: Site, session: Session, row: ImageRow, defaults: dict[Architecture, str]
) -> ImageView:
    image = image_value(session, row)
    versions = versions_of(row)
    current = versions[0] if versions else None
    served = site.point.served(row.name)
    found = status(served=served, newest=current.number if current else None)
    return ImageView(
        name=row.name,
        slug=row.slug,
        architecture=image.architecture,
        comment=row.comment,
        source_digest=row.source_digest,
        source_size=row.source_size,
        source_name=row.source_name,
        facts=ImageFacts.from_json(row.facts),
        drivers=image.drivers,
        disabled_drivers=tuple(driver.name for driver in boot_image.disabled_drivers(image)),
        versions=versions,
        current=current,
        needs_build=current is None or current.recipe_digest != recipe_digest(image),
        distribution=found.value,
        served_version=served,
        is_default=defaults.get(image.architecture) == row.name,
        is_lab=row.is_lab,
        row_version=row.row_version,
    )


def _row(image: BootImage, facts: ImageFacts, source_name: str, *, is_lab: bool) -> ImageRow:
    return ImageRow(
        name=image.name,
        slug=image.slug,
        architecture=image.architecture.value,
        source_digest=image.source.digest,
        source_size=image.source.size,
        source_name=source_name[:255],
        image_index=image.source.image_index,
        facts=facts.to_json(),
        properties=image.properties.to_json(),
        comment=image.comment,
        is_lab=is_lab,
        created_at=time.time(),
    )


def _require_free(site: Site, name: str, comment: str) -> None:
    """Refuse a name early: reading a large WIM first would waste the operator's time."""
    probe = BootImage(
        name=name.strip(),
        slug=boot_image.slug(name),
        architecture=Architecture.X64,
        source=SourceWim("sha256:" + "0" * 64, 1, 1),
        comment=comment,
    )
    with site.database.transaction() as session:
        _refuse_twin(session, probe)


@contextmanager
def _unchanging(path: Path) -> Iterator[None]:
    """What was looked into must be what is stored: refuse a file that changes meanwhile."""
    try:
        before = path.stat()
        if not stat.S_ISREG(before.st_mode):
            raise InvalidInput(f"{path} is no file", hint="Name a .wim file on this machine.")
        yield
        after = path.stat()
    except FileNotFoundError as fault:
        raise InvalidInput(
            f"there is no file {path}", hint="Name a .wim file on this machine."
        ) from fault
    except PermissionError as fault:
        raise NotPermitted(
            f"{path} cannot be read: {fault.strerror}", hint="Mend its owner or its mode."
        ) from fault
    if (before.st_ino, before.st_size, before.st_mtime_ns) != (
        after.st_ino,
        after.st_size,
        after.st_mtime_ns,
    ):
        raise InvalidInput(
            f"{path} changed while it was imported", hint="Wait until it is whole, then repeat."
        )


def _look_into(site: Site, path: Path, index: int | None, tell: Progress) -> ImageFacts:
    """What the WIM holds. Raises InvalidInput or Quarantined for one that cannot be used."""
    from netboot.store.wim_inspector import inspect

    tell(0.0, "looking into the WIM")
    with site.blobs.staging_folder() as workdir:
        return inspect(
            path,
            index=index,
            workdir=workdir,
            progress=lambda stage, done, total: tell(0.6 * done / max(1, total), stage),
        )


def _require_architecture(path: Path, facts: ImageFacts, wanted: Architecture | None) -> None:
    if wanted is not None and facts.architecture is not wanted:
        raise WrongArchitecture(
            f"{path.name} is {facts.architecture}, not {wanted}",
            hint=f"Import it as {facts.architecture}, or name the other file.",
        )


def _refuse_twin(session: Session, image: BootImage) -> None:
    twin = session.scalar(
        select(ImageRow).where((ImageRow.name == image.name) | (ImageRow.slug == image.slug))
    )
    if twin is not None:
        raise AlreadyExists(
            f'there is a boot image "{twin.name}" already', hint="Choose another name."
        )


def _require_unchanged(row: ImageRow, row_version: int | None, wanted: Difference) -> None:
    """Refuse a change to what somebody else changed since it was read, and say how it differs."""
    if row_version is not None and row.row_version != row_version:
        raise EditConflict(
            f"somebody else changed {row.name} since you opened it",
            hint="Look at it again, then repeat your change.",
            difference=(wanted,) if wanted.yours != wanted.theirs else (),
        )


def _drivers_difference(image: BootImage, how: str, drivers: Sequence[str]) -> Difference:
    held = ", ".join(driver.name for driver in image.drivers) or "none"
    return Difference("drivers", f"{how} {', '.join(drivers)}", held)
