"""Give a boot image another name; whatever refers to it by name follows in the same step.

Deployments, defaults, known machines and what the point serves speak of the new name at once;
content, versions and the addresses of files stay as they are, so nothing is copied and boots
under way go on. What the image says of itself inside (boot menu, nb-image.ini) changes with
the next build. The boot log keeps the name that an image had when it booted.
"""

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from netboot.errors import InUse
from netboot.images.boot_image.boot_image import BootImage, slug
from netboot.site import Site
from netboot.store.database.records import (
    DefaultImageRow,
    DeploymentRow,
    ImageRow,
    JobRow,
    MachineRow,
)
from netboot.store.images.rows import image_value, refuse_twin


def rename(site: Site, session: Session, row: ImageRow, name: str) -> None:
    """Call the image `name`, in the caller's transaction.

    Raises InvalidInput for what can be no name, AlreadyExists, InUse while a job works on it.
    """
    name, old = name.strip(), row.name
    if name == old:
        return
    _require_name(image_value(session, row), name)
    refuse_twin(session, name, but=row)
    _require_idle(session, old)
    for table in (DefaultImageRow, DeploymentRow, MachineRow):
        session.execute(update(table).where(table.image_name == old).values(image_name=name))
    row.name, row.slug = name, slug(name)
    session.flush()
    # Before the commit: cut off here, the point speaks of the new name, and a repetition mends it.
    site.point.rename(old, name, row.address)


def _require_name(image: BootImage, name: str) -> None:
    """The rules' own look at a name."""
    BootImage(name=name, slug=slug(name), architecture=image.architecture, source=image.source)


def _require_idle(session: Session, name: str) -> None:
    """A job knows its image by name: it would not find it any more."""
    for job in session.scalars(select(JobRow).where(JobRow.finished_at.is_(None))):
        if job.arguments.get("image") == name:
            raise InUse(
                f"{name} cannot be renamed while a job works on it: {job.title}",
                hint="Wait until it has ended, or cancel it.",
            )
