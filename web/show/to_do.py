"""What waits for somebody: what is out of date, what failed, what needs a decision.

Each is one line with the page where it is settled; the worst come first.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from netboot.images.versions.distribution import DistributionStatus
from netboot.operations import jobs
from netboot.operations.drivers.search import driver_totals
from netboot.operations.images.images import ImageView
from netboot.site import Site

DAY = 24 * 3600.0
JOBS_LOOKED_AT = 50
SEVERE, NEEDED, USEFUL = "danger", "warning", "info"
ICONS = {SEVERE: "alert-circle", NEEDED: "alert-triangle", USEFUL: "info-circle"}


@dataclass(frozen=True, slots=True)
class Matter:
    """One line: `what` is its subject, `text` goes on from there; `endpoint` settles it."""

    severity: str
    what: str
    text: str
    endpoint: str
    arguments: tuple[tuple[str, str], ...] = ()
    label: str = ""

    @property
    def symbol(self) -> str:
        """Its icon."""
        return ICONS[self.severity]


@dataclass(frozen=True, slots=True)
class DriverCounts:
    """How many drivers the catalog has."""

    enabled: int
    disabled: int


def driver_counts(site: Site) -> DriverCounts:
    """Counted, not listed: there may be many."""
    counts = driver_totals(site)
    return DriverCounts(counts.get(True, 0), counts.get(False, 0))


def out_of_date(images: Sequence[ImageView]) -> tuple[Matter, ...]:
    """Images whose changes are not built, and versions that machines do not get yet."""
    found = []
    for image in images:
        here = (("slug", image.slug),)
        if image.current is None:
            found.append(Matter(NEEDED, image.name, "was never built", "images.show", here))
        elif image.needs_build:
            text = "has changes that are not built"
            found.append(Matter(NEEDED, image.name, text, "images.show", here, "Build"))
        if image.current and image.distribution != DistributionStatus.CURRENT:
            text = _undistributed(image)
            found.append(Matter(NEEDED, image.current.label, text, "images.show", here, "Update"))
    return tuple(found)


def _undistributed(image: ImageView) -> str:
    if image.distribution == DistributionStatus.OUT_OF_DATE and image.served_version:
        return f"is built, and machines still get v{image.served_version}"
    if image.distribution == DistributionStatus.ALTERED:
        return "was altered on a distribution point"
    return "is built but not distributed"


def decisions(
    site: Site, images: Sequence[ImageView], drivers: DriverCounts, foreign: Sequence[str]
) -> tuple[Matter, ...]:
    """What only a person can decide."""
    order = (SEVERE, NEEDED, USEFUL)
    found = (*_jobs(site), *_images(images), *_catalog(drivers), *_network(foreign))
    return tuple(sorted(found, key=lambda matter: order.index(matter.severity)))


def _jobs(site: Site) -> Iterator[Matter]:
    """Jobs that failed within a day, unless the same was done since."""
    settled = set()
    for job in jobs.list_lines(site, JOBS_LOOKED_AT):  # newest first
        if job.created_at < time.time() - DAY:
            return
        if job.state == "failed" and job.title not in settled:
            reason = job.message.partition("\n")[0][:120] or "failed"
            yield Matter(SEVERE, job.title, reason, "jobs.show", (("job_id", str(job.id)),))
        if job.finished:
            settled.add(job.title)


def _images(images: Sequence[ImageView]) -> Iterator[Matter]:
    for image in images:
        here = (("slug", image.slug),)
        if image.disabled_drivers:
            names = ", ".join(image.disabled_drivers[:3])
            text = f"holds drivers that were disabled: {names}"
            yield Matter(NEEDED, image.name, text, "images.show", here)
    architectures = {image.architecture for image in images}
    with_default = {image.architecture for image in images if image.is_default}
    for architecture in sorted(architectures - with_default):
        what = f"{architecture} machines"
        yield Matter(NEEDED, what, "have no default image", "images.index")


def _catalog(drivers: DriverCounts) -> Iterator[Matter]:
    if drivers.disabled:
        what = f"{drivers.disabled} driver{'s' if drivers.disabled > 1 else ''}"
        text = "imported and not enabled: they can't be added to an image"
        yield Matter(USEFUL, what, text, "drivers.index", (("state", "disabled"),))


def _network(foreign: Sequence[str]) -> Iterator[Matter]:
    for server in sorted(set(foreign)):
        text = "is another boot server on this network: machines may take its answer"
        yield Matter(SEVERE, server, text, "network.index")
