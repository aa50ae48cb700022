"""Clean-up: delete what nothing refers to any more, once a day and by `netboot site clean`.

Law: when in doubt, keep. A digest anywhere in the database keeps its blob; a blob younger than an
hour may be about to get a reference; and a database that does not know what the point serves is not
believed (it may be new because the old one was lost).
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import JSON, Column, Connection, String, select
from sqlalchemy.orm import Session

from netboot.errors import ContentFault, OperatorFault
from netboot.operations import jobs
from netboot.operations.jobs import DAY, Daily, JobKind
from netboot.progress import Progress, silent
from netboot.site import LabSite, Site
from netboot.store.boots import journal_mark
from netboot.store.boots import rows as boot_rows
from netboot.store.content.blobs import BlobStore
from netboot.store.content.quarantine import SetAside, delete_aside, list_aside
from netboot.store.database.records import DriverContentRow, DriverRow, ImageRow, Row
from netboot.store.images.rows import versions_of
from netboot.store.media.boot_programs import read_programs

YOUNG = 3600.0
EVENTS_KEPT = 1_000_000
EVENTS_FOR = 90 * DAY
BOOTS_KEPT = 500_000
JOBS_FOR = 90 * DAY
ALTERED_FOR = 90 * DAY

DAILY = Daily(JobKind.CLEAN_UP, "last_clean_up", "Daily clean-up")

DIGITS = len("sha256:") + 64

NAME_NO_BLOBS = {
    "hardware_ids.hardware_id",
    "driver_contents.search_text",
    "driver_contents.models",
    # These records outlive their subjects.
    "audit.subject",
    "audit.details",
    "repeats.headers",
    "repeats.body",
    "webhook_deliveries.payload",
    "boots.attempt",
    "version_listings.files",  # SHA-1 by path
}

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Collected:
    """What a clean-up deleted; `size` is the bytes that were freed.

    `versions` are labels of versions that the point had kept for boots that are over; `altered`
    counts quarantined files that were deleted because of their age.
    """

    blobs: int
    size: int
    versions: tuple[str, ...]
    events: int
    jobs: int
    leftovers: int
    altered: int


def ask_clean(site: Site) -> jobs.JobView:
    """Queue a clean-up now, in addition to the daily one."""
    return jobs.submit(site, JobKind.CLEAN_UP, {}, title="Clean-up")


def collect_garbage(
    site: Site, now: float, *, force: bool = False, progress: Progress = silent
) -> Collected:
    """Delete old events and jobs, leftovers of interrupted work, and blobs without a reference.

    `now` is epoch seconds. Raises OperatorFault if the database seems to belong to another data
    folder, unless `force` is set.
    """
    progress(0.0, "references")
    with site.database.transaction() as session:
        named = set(named_digests(session))
    if not force:
        _require_own_database(site, named)
    progress(0.3, "old events and jobs")
    with site.database.writing() as session:
        boot_rows.discard_oldest(session, BOOTS_KEPT)
        mark = journal_mark.read(session)
    # Events that are not folded yet exist only in the journal.
    folded = mark.id if mark else 0
    events = site.journal.prune(before=now - EVENTS_FOR, keep=EVENTS_KEPT, until=folded)
    old_jobs = site.jobs.forget(before=now - JOBS_FOR)
    leftovers = site.blobs.clear_staging() + site.point.blobs.clear_staging()
    progress(0.5, "the distribution point")
    programs = {ref.digest for ref in read_programs(site.point).values()}
    with suppress(ContentFault):  # the lab replaces a damaged list
        programs |= {ref.digest for ref in read_programs(LabSite(site.data).point).values()}
    swept = site.point.sweep(programs, now=now, before=now - YOUNG)
    progress(0.7, "the site's own store")
    idle = [digest for digest in site.blobs.digests() if digest not in named]
    freed = [site.blobs.discard(digest, before=now - YOUNG) for digest in idle]
    gone = [size for size in freed if size is not None]
    aside = delete_set_aside(site, lambda one: one.at < now - ALTERED_FOR)
    return Collected(
        blobs=len(gone) + swept.blobs,
        size=sum(gone) + swept.size + sum(aside),
        versions=swept.versions,
        events=events,
        jobs=old_jobs,
        leftovers=leftovers,
        altered=len(aside),
    )


def delete_set_aside(site: Site, wanted: Callable[[SetAside], bool]) -> list[int]:
    """Delete the quarantined files that are wanted; returns their sizes."""
    return [
        one.size
        for store in (site.blobs, site.point.blobs)
        for one in list_aside(store.root)
        if wanted(one) and delete_aside(store.root, one.digest)
    ]


def verify(site: Site, *, progress: Progress = silent) -> tuple[int, tuple[str, ...]]:
    """Read every byte that is stored or served; returns the number of blobs and the faults."""
    wrong = []
    work = [*stored(site), *served(site)]
    for place, (store, what, digest) in enumerate(work):
        progress(place / len(work), what)
        try:
            store.verify(digest)
        except ContentFault as fault:
            wrong.append(f"{what}: {fault}")
    return len(work), tuple(wrong)


def stored(site: Site) -> list[tuple[BlobStore, str, str]]:
    """What the site's store holds, or should hold, and what needs it."""
    needed = dict.fromkeys(site.blobs.digests(), "a blob without a reference")
    with site.database.transaction() as session:
        packages = select(DriverRow.name, DriverContentRow.package).join(DriverRow.content)
        for name, package in session.execute(packages.execution_options(yield_per=500)):
            needed |= {file["digest"]: f"driver {name}" for file in package["files"]}
        for image in session.scalars(select(ImageRow)):
            needed[image.source_digest] = f"the source of {image.name}"
            files = _DIGEST.findall(json.dumps(image.properties))
            needed |= dict.fromkeys(files, f"the properties of {image.name}")
            for version in versions_of(image):
                needed |= {file.digest: version.label for file in version.files}
    return [(site.blobs, what, digest) for digest, what in sorted(needed.items())]


def served(site: Site) -> list[tuple[BlobStore, str, str]]:
    """What the site's distribution point has to hold."""
    needed = {ref.digest: f"boot program {ref.name}" for ref in read_programs(site.point).values()}
    for program in site.point.load().supplied.values():
        needed[program.digest] = f"boot program {program.name}"
    for version in site.point.load().kept.values():
        needed |= {file.digest: f"{version.label} as served" for file in version.files}
    return [(site.point.blobs, what, digest) for digest, what in sorted(needed.items())]


def _require_own_database(site: Site, named: set[str]) -> None:
    with site.database.transaction() as session:
        known = set(session.scalars(select(ImageRow.name)))
    unknown = sorted(set(site.point.load().current) - known)
    if unknown:
        reason = f"the database does not know what is served: {', '.join(unknown)}"
    elif not named and next(site.blobs.digests(), ""):
        reason = "the database refers to nothing that is stored"
    else:
        return
    raise OperatorFault(
        reason,
        hint="Was it lost or replaced? Nothing was removed;"
        " `netboot site clean --force` removes it anyway.",
    )


def named_digests(session: Session | Connection) -> Iterator[str]:
    """Every digest in the database: drivers, sources, versions, jobs."""
    for table in Row.metadata.sorted_tables:
        columns = [column for column in table.columns if _may_name_blobs(column)]
        if columns:
            for row in session.execute(select(*columns).execution_options(yield_per=500)):
                for value in row:
                    text = value if isinstance(value, str) else json.dumps(value)
                    yield from _DIGEST.findall(text)


def _may_name_blobs(column: Column[Any]) -> bool:
    """Every text that is long enough, except large ones that are known to hold no digest."""
    if f"{column.table.name}.{column.name}" in NAME_NO_BLOBS:
        return False
    kind = column.type
    if isinstance(kind, String):
        return kind.length is None or kind.length >= DIGITS
    return isinstance(kind, JSON)
