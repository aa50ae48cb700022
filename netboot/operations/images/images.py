"""Boot images: change the recipe of one, or delete it."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from netboot.errors import Difference, InUse, InvalidInput
from netboot.images.boot_image import boot_image
from netboot.images.boot_image.boot_image import BootImage
from netboot.images.drivers.known_pairs import arranged
from netboot.operations.deployments import deployments as policy
from netboot.operations.drivers.drivers import enable_row, find_driver
from netboot.operations.drivers.known_pairs import pairs_known
from netboot.operations.images.source import ask_import, import_image, require_free_name
from netboot.operations.images.view import ImageView, get_image, list_images
from netboot.operations.served import require_name
from netboot.site import Site
from netboot.store.database.records import DeploymentRow
from netboot.store.drivers.rows import NO_DRIVERS, driver_value
from netboot.store.images.rows import find_image, image_value, keep_drivers, unchanged

__all__ = [
    "ImageView",
    "add_driver",
    "add_drivers",
    "arrange_drivers",
    "ask_import",
    "delete_image",
    "get_image",
    "import_image",
    "list_images",
    "remove_driver",
    "remove_drivers",
    "require_free_name",
    "set_comment",
    "set_default",
]


def add_driver(
    site: Site, image: str, driver: str, *, confirmed: bool = False, row_version: int | None = None
) -> ImageView:
    """Add one driver to the recipe; see `add_drivers`."""
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
    """Add drivers to the recipe: all of them, or none if one cannot be added.

    With `enable` they are enabled first. Drivers with a known order are put into it. Raises
    DriverNotEnabled, WrongArchitecture, NotBootCritical, AlreadyExists, EditConflict, and
    InvalidInput for a package that cannot be enabled.
    """
    with site.database.writing() as session:
        row = find_image(session, image)
        value = image_value(session, row)
        unchanged(row, row_version, _drivers_difference(value, "with", drivers))
        rows = [find_driver(session, name, architecture=value.architecture) for name in drivers]
        # Extension INFs after the drivers that they add to.
        for found in sorted(rows, key=lambda one: one.kind in NO_DRIVERS):
            if enable and not found.enabled:
                enable_row(found)
            value = boot_image.with_driver(value, driver_value(found), confirmed=confirmed)
        keep_drivers(row, _arranged(session, value))
    return get_image(site, image)


def arrange_drivers(site: Site, image: str, *, row_version: int | None = None) -> ImageView:
    """Sort the drivers as known pairs require. Raises NotFound, EditConflict."""
    with site.database.writing() as session:
        row = find_image(session, image)
        value = image_value(session, row)
        wanted = _arranged(session, value)
        names = ", ".join(driver.name for driver in wanted.drivers)
        unchanged(row, row_version, _drivers_difference(value, "in this order:", (names,)))
        if wanted != value:
            keep_drivers(row, wanted)
    return get_image(site, image)


def remove_driver(
    site: Site, image: str, driver: str, *, row_version: int | None = None
) -> ImageView:
    """Remove one driver from the recipe; see `remove_drivers`."""
    return remove_drivers(site, image, (driver,), row_version=row_version)


def remove_drivers(
    site: Site, image: str, drivers: Sequence[str], *, row_version: int | None = None
) -> ImageView:
    """Remove drivers from the recipe: all of them, or none. Raises NotFound, EditConflict."""
    with site.database.writing() as session:
        row = find_image(session, image)
        value = image_value(session, row)
        unchanged(row, row_version, _drivers_difference(value, "without", drivers))
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
    """Raises EditConflict, InvalidInput."""
    if len(comment) > boot_image.COMMENT_LIMIT:
        raise InvalidInput(f"a comment has at most {boot_image.COMMENT_LIMIT} characters")
    with site.database.writing() as session:
        row = find_image(session, image)
        unchanged(row, row_version, Difference("comment", comment, row.comment))
        row.comment = comment
    return get_image(site, image)


def set_default(site: Site, image: str) -> ImageView:
    """Give this image to all machines of its architecture that have no deployment."""
    view = get_image(site, image)
    policy.set_default(site, view.name, view.architecture)
    return get_image(site, image)


def delete_image(site: Site, image: str, *, typed: str | None = None) -> None:
    """Delete an image and stop serving it.

    `typed` is the name that a person typed: a served image is deleted only if it is right. None
    asks for nothing. Raises InvalidInput, InUse if machines are assigned to it.
    """
    with site.database.writing() as session:
        row = find_image(session, image)
        served = site.point.served(row.name)
        if served:
            require_name(row.name, typed, label=f"{row.name} v{served}")
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
        # Before the commit: if interrupted here, the image still exists and can be deleted again.
        site.point.forget(name)
    policy.drop(site, name)


def _arranged(session: Session, image: BootImage) -> BootImage:
    return replace(image, drivers=arranged(pairs_known(session), image.drivers))


def _drivers_difference(image: BootImage, how: str, drivers: Sequence[str]) -> Difference:
    held = ", ".join(driver.name for driver in image.drivers) or "none"
    return Difference("drivers", f"{how} {', '.join(drivers)}", held)
