"""Rename a boot image, and everything that refers to it by name.

Deployments, defaults, known machines and the distribution point get the new name at once; content,
versions and addresses of files stay, so nothing is copied and current boots continue. The name
inside the image (boot menu, nb-image.ini) changes with the next build. The boot log keeps the name
at the time of the boot.
"""

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from netboot.errors import InUse
from netboot.images.boot_image.boot_image import BootImage, slug
from netboot.site import Site
from netboot.store.database.job_records import JobRow
from netboot.store.database.records import DefaultImageRow, DeploymentRow, ImageRow, MachineRow
from netboot.store.images.rows import image_value, refuse_twin


def rename(site: Site, session: Session, row: ImageRow, name: str) -> None:
    """Rename the image in the caller's transaction. Raises InvalidInput, AlreadyExists, InUse."""
    name, old = name.strip(), row.name
    if name == old:
        return
    image = image_value(session, row)
    # Its constructor checks the name.
    BootImage(name=name, slug=slug(name), architecture=image.architecture, source=image.source)
    refuse_twin(session, name, but=row)
    _require_idle(session, old)
    for table in (DefaultImageRow, DeploymentRow, MachineRow):
        session.execute(update(table).where(table.image_name == old).values(image_name=name))
    row.name, row.slug = name, slug(name)
    session.flush()
    # Before the commit: if interrupted here, the point has the new name, and a repetition fixes it.
    site.point.rename(old, name, row.address)


def _require_idle(session: Session, name: str) -> None:
    """Jobs refer to their image by name and would not find it."""
    for job in session.scalars(select(JobRow).where(JobRow.finished_at.is_(None))):
        if job.arguments.get("image") == name:
            raise InUse(
                f"{name} cannot be renamed while a job works on it: {job.title}",
                hint="Wait until it has ended, or cancel it.",
            )
