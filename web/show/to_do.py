"""What needs attention: outdated boot images, failures, pending decisions.

Each is one line with the page that resolves it; the most severe come first.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from netboot.images.versions.distribution import DistributionStatus
from netboot.operations import counts, jobs, processes
from netboot.operations.drivers.search import driver_totals
from netboot.operations.images.images import ImageView
from netboot.site import Site
from netboot.store.content.blobs import SPARE_BYTES

DAY = 24 * 3600.0
JOBS_LOOKED_AT = 50
SEVERE, NEEDED, USEFUL = "danger", "warning", "info"
ICONS = {SEVERE: "alert-circle", NEEDED: "alert-triangle", USEFUL: "info-circle"}


WHERE = {
    "boot services": "network.index",
    "boot files over HTTP": "network.index",
    "lab": "lab.index",
    "page": "settings.index",
    "projector": "boots.index",
    "worker": "jobs.index",
}
"""The page of what each process does."""

RESERVE = SPARE_BYTES
WARN_BYTES = 4 * SPARE_BYTES
"""A boot image with its version takes about as much as lies between the two."""


@dataclass(frozen=True, slots=True)
class Matter:
    """One line: `what` is the subject, `text` completes the sentence; `endpoint` resolves it.

    A failed `job` can be dismissed, and perhaps retried.
    """

    severity: str
    what: str
    text: str
    endpoint: str
    arguments: tuple[tuple[str, str], ...] = ()
    label: str = ""
    job: int = 0
    can_retry: bool = False

    @property
    def symbol(self) -> str:
        return ICONS[self.severity]


@dataclass(frozen=True, slots=True)
class DriverCounts:
    """How many drivers are in the catalog."""

    enabled: int
    disabled: int


def driver_counts(site: Site) -> DriverCounts:
    """Counted, not listed: there may be thousands."""
    counts = driver_totals(site)
    return DriverCounts(counts.get(True, 0), counts.get(False, 0))


def out_of_date(images: Sequence[ImageView]) -> tuple[Matter, ...]:
    """Boot images with changes that are not yet built, and versions not yet distributed."""
    found = []
    for image in images:
        here = (("slug", image.slug),)
        if image.current is None:
            found.append(Matter(NEEDED, image.name, "is not yet built", "images.show", here))
        elif image.needs_build:
            text = "has changes that are not yet built"
            found.append(Matter(NEEDED, image.name, text, "images.show", here, "Build"))
        if image.current and image.distribution != DistributionStatus.CURRENT:
            text = _undistributed(image)
            found.append(Matter(NEEDED, image.current.label, text, "images.show", here, "Update"))
    return tuple(found)


def _undistributed(image: ImageView) -> str:
    if image.distribution == DistributionStatus.OUT_OF_DATE and image.served_version:
        return f"is built but v{image.served_version} is still served"
    if image.distribution == DistributionStatus.ALTERED:
        return "was changed on a distribution point"
    return "is built but not yet distributed"


def decisions(
    site: Site, images: Sequence[ImageView], drivers: DriverCounts, foreign: Sequence[str]
) -> tuple[Matter, ...]:
    """What needs an administrator's decision."""
    order = (SEVERE, NEEDED, USEFUL)
    found = (
        *_processes(),
        *_disk(site),
        *_journal(site),
        *_jobs(site),
        *_images(images),
        *_catalog(drivers),
        *_network(foreign),
    )
    return tuple(sorted(found, key=lambda matter: order.index(matter.severity)))


def _processes() -> Iterator[Matter]:
    """Processes of the site that end, or that cannot do their work."""
    states = processes.list_states()
    for name, text in processes.problems(states).items():
        yield Matter(SEVERE, f"The process {name}", text, WHERE[name])
    lost = sum(state.lost for state in states)
    if lost:
        what = f"{lost} boot event{'s' if lost > 1 else ''}"
        text = "could not be written since the site started; boots may look incomplete"
        yield Matter(NEEDED, what, text, "boots.index")


def _disk(site: Site) -> Iterator[Matter]:
    free = counts.free_bytes(site)
    if free < RESERVE:
        text = f"has {free >> 20} MiB left: machines boot, but imports and builds are refused"
        yield Matter(SEVERE, f"The disk of {site.data}", text, "settings.index")
    elif free < WARN_BYTES:
        text = f"is almost full ({free >> 20} MiB free): make space before imports are refused"
        yield Matter(NEEDED, f"The disk of {site.data}", text, "settings.index")


def _journal(site: Site) -> Iterator[Matter]:
    number = counts.set_aside(site)
    if number:
        what = f"{number} boot event{'s' if number > 1 else ''}"
        text = "could not be understood and are in no boot; the log of the projector says why"
        yield Matter(NEEDED, what, text, "boots.index")


def _jobs(site: Site) -> Iterator[Matter]:
    """Failed jobs of the last day, unless the same work succeeded since."""
    settled = set()
    for job in jobs.list_lines(site, JOBS_LOOKED_AT):  # newest first
        if job.created_at < time.time() - DAY:
            return
        if job.state == "failed" and job.title not in settled and not job.dismissed:
            yield Matter(
                SEVERE,
                job.title,
                f"failed: {job.message.partition(chr(10))[0]}" if job.message else "failed",
                "jobs.show",
                (("job_id", str(job.id)),),
                job=job.id,
                can_retry=jobs.can_retry(job),
            )
        if job.finished:
            settled.add(job.title)


def _images(images: Sequence[ImageView]) -> Iterator[Matter]:
    for image in images:
        here = (("slug", image.slug),)
        if image.disabled_drivers:
            names = ", ".join(image.disabled_drivers)
            text = f"contains disabled drivers: {names}"
            yield Matter(NEEDED, image.name, text, "images.show", here)
    architectures = {image.architecture for image in images}
    with_default = {image.architecture for image in images if image.is_default}
    for architecture in sorted(architectures - with_default):
        what = f"{architecture} machines"
        yield Matter(NEEDED, what, "have no default image", "images.index")


def _catalog(drivers: DriverCounts) -> Iterator[Matter]:
    if drivers.disabled:
        what = f"{drivers.disabled} driver{'s' if drivers.disabled > 1 else ''}"
        text = "imported but not enabled"
        yield Matter(USEFUL, what, text, "drivers.index", (("state", "disabled"),))


def _network(foreign: Sequence[str]) -> Iterator[Matter]:
    for server in sorted(set(foreign)):
        text = "is another boot server on this network; machines may boot from it"
        yield Matter(SEVERE, server, text, "network.index")
