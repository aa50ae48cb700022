"""Distribution points: what they hold, and Update Distribution Points, which alone changes it."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from netboot.errors import OperatorFault
from netboot.images.versions.content_version import ContentVersion
from netboot.images.versions.distribution import DistributionStatus, status
from netboot.operations import jobs
from netboot.operations.images import images
from netboot.operations.images.images import ImageView
from netboot.operations.jobs import JobKind
from netboot.operations.points import scrub
from netboot.operations.versions.publication_gate import require_publishable
from netboot.progress import Progress, silent
from netboot.site import Site


@dataclass(frozen=True, slots=True)
class PointImage:
    """One image on one point: numbers of versions, and how they compare."""

    image: str
    held: int | None
    current: int | None
    status: DistributionStatus


@dataclass(frozen=True, slots=True)
class PointView:
    """A distribution point as pages show it."""

    name: str
    address: str
    images: tuple[PointImage, ...]


@dataclass(frozen=True, slots=True)
class UpdateResult:
    """What an update did. `changed` is False when the point served that version already.

    `before` is the version that was served before, which a roll-back serves again.
    """

    image: str
    number: int
    changed: bool
    before: int | None = None

    @property
    def label(self) -> str:
        return f"{self.image} v{self.number}"


def point_status(site: Site) -> list[PointView]:
    """All points, each with all images."""
    return status_of(site, images.list_images(site))


def status_of(site: Site, views: Iterable[ImageView]) -> list[PointView]:
    """All points, each with these images."""
    rows = tuple(
        PointImage(
            image=image.name,
            held=image.served_version,
            current=image.current.number if image.current else None,
            status=DistributionStatus(image.distribution),
        )
        for image in views
    )
    return [PointView("This site", site.settings.told_address or "this machine", rows)]


def ask_update(site: Site, image: str) -> jobs.JobView:
    """Queue an update of the points with the image's newest version.

    Raises NotFound, or OperatorFault if nothing was built yet.
    """
    newest = _newest(images.get_image(site, image))
    return jobs.submit(
        site,
        JobKind.UPDATE_POINTS,
        {"image": newest.image},
        title=f"Update Distribution Points with {newest.label}",
    )


def ask_verify(site: Site, image: str) -> jobs.JobView:
    """Queue a check of every served file of an image. Raises NotFound."""
    name = images.get_image(site, image).name
    return jobs.submit(site, JobKind.VERIFY_CONTENT, {"image": name}, title=f"Verify {name}")


def update_distribution_points(
    site: Site, image: str, *, progress: Progress = silent
) -> UpdateResult:
    """Publish the image's newest version: from then on machines get it.

    Raises OperatorFault if nothing was built yet, ContentFault for damaged bytes.
    """
    newest = _newest(images.get_image(site, image))
    require_publishable(site, newest.image, newest.number)
    before = site.point.served(newest.image)
    changed = site.point.update(newest, site.blobs, now=time.time(), progress=progress)
    return UpdateResult(newest.image, newest.number, changed, before)


def rollback(site: Site, image: str, number: int, *, progress: Progress = silent) -> UpdateResult:
    """Serve an older version again, after every byte of it was read.

    Raises NotFound, OperatorFault for a version that is out of service, SecretsFound, ContentFault.
    """
    view = images.get_image(site, image)
    version = view.require_version(number)
    require_publishable(site, view.name, number)
    changed = site.point.update(version, site.blobs, now=time.time(), progress=progress)
    return UpdateResult(view.name, number, changed, view.served_version)


def verify(
    site: Site, image: str, *, progress: Progress = silent
) -> tuple[PointImage, tuple[str, ...]]:
    """Read every byte that is served of an image; returns the names of altered files.

    A version with altered files is out of service from then on.
    """
    view = images.get_image(site, image)
    served = view.served_version
    newest = view.current.number if view.current else None
    if served is None:
        withdrawn = DistributionStatus.ALTERED if view.altered else DistributionStatus.MISSING
        return PointImage(view.name, None, newest, withdrawn), ()
    version = site.point.load().current[view.name]
    wrong = scrub.check_version(site, version, progress=progress)
    found = status(served=served, newest=newest, altered=bool(wrong))
    return PointImage(view.name, served, newest, found), wrong


def _newest(view: ImageView) -> ContentVersion:
    if view.current is None:
        raise OperatorFault(
            f"{view.name} has no version yet", hint="Build one first, then update the points."
        )
    return view.current
