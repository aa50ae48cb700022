"""The scrub: read all that is stored and served, repair what has a good copy, raise the alarm.

A changed byte takes its version out of service: machines no longer get it, and the page says so.
Damaged bytes are quarantined, so that an import or a build can store them again. A file that has an
intact copy is repaired from it without an alarm.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from sqlalchemy import select

from netboot.errors import ContentFault
from netboot.images.versions.content_version import ContentVersion
from netboot.operations import jobs
from netboot.operations.jobs import Daily, JobKind
from netboot.operations.points import cleanup
from netboot.progress import Progress, silent
from netboot.site import Site
from netboot.store.content.blobs import BlobStore
from netboot.store.database.records import ImageRow
from netboot.store.images.rows import version_value

DAILY = Daily(JobKind.SCRUB, "last_scrub", "Daily check of all stored images")
BYTES_PER_SECOND = 20 << 20
"""How fast the background scrub reads: machines that boot come first."""


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """What a scrub read and found: `alarms` are sentences, `mended` names of repaired files."""

    files: int
    size: int
    mended: tuple[str, ...]
    alarms: tuple[str, ...]


@dataclass(slots=True)
class _Findings:
    size: int = 0
    read: set[str] = field(default_factory=set)
    mended: tuple[str, ...] = ()
    alarms: tuple[str, ...] = ()


def ask_scrub(site: Site) -> jobs.JobView:
    """Queue a scrub now, in addition to the daily one."""
    return jobs.submit(site, JobKind.SCRUB, {}, title="Check of all stored images")


def scrub(
    site: Site, *, bytes_per_second: int = BYTES_PER_SECOND, progress: Progress = silent
) -> Scrubbed:
    """Read all that is stored, first what is served.

    `bytes_per_second` 0 reads as fast as possible.
    """
    found = _Findings()
    served = list(site.point.load().kept.values())
    known = {(version.image, version.number) for version in served}
    work = [*served, *(v for v in _versions(site) if (v.image, v.number) not in known)]
    for place, version in enumerate(work):
        stage = f"reading {version.label}"
        pace = _pace(bytes_per_second, progress, 0.8 * place / len(work), stage)
        _look_at(site, version, found, pace, is_kept=place < len(served))
    _look_at_sources(site, found, _pace(bytes_per_second, progress, 0.8, "reading the sources"))
    _look_at_the_rest(site, found, _pace(bytes_per_second, progress, 0.9, "reading other files"))
    progress(1.0, "done")
    return Scrubbed(len(found.read), found.size, found.mended, found.alarms)


def check_version(
    site: Site, version: ContentVersion, *, progress: Progress = silent
) -> tuple[str, ...]:
    """Read a version where it is stored and served; returns the files that stay damaged.

    If there are any, the version is out of service from then on.
    """
    is_kept = (version.image, version.number) in site.point.load().kept
    pace = _pace(0, progress, 0.5, "reading")
    return _look_at(site, version, _Findings(), pace, is_kept=is_kept)


def _look_at(
    site: Site,
    version: ContentVersion,
    found: _Findings,
    pace: Callable[[int], None],
    *,
    is_kept: bool,
) -> tuple[str, ...]:
    wrong = []
    for file in version.files:
        stores = [site.blobs, site.point.blobs] if is_kept else [site.blobs]
        bad = _bad(stores, file.digest, pace)
        found.read.add(file.digest)
        found.size += file.size
        if not bad:
            continue
        if _mended(file.digest, bad, stores, pace):
            found.mended += (f"{version.label}: {file.name}",)
        else:
            wrong.append(file.name)
    if wrong:
        take_out_of_service(site, version, wrong)
        found.alarms += (f"{version.label} is out of service: {', '.join(wrong)} was altered",)
    return tuple(wrong)


def _bad(stores: list[BlobStore], digest: str, pace: Callable[[int], None]) -> list[BlobStore]:
    """The stores whose copy is damaged; a copy that several share is read once."""
    first, *others = stores
    bad = [] if _is_sound(first, digest, pace) else [first]
    for other in others:
        with suppress(OSError):
            if other.path(digest).samefile(first.path(digest)):
                bad += [other] if bad else []
                continue
        if not _is_sound(other, digest, pace):
            bad.append(other)
    return bad


def take_out_of_service(site: Site, version: ContentVersion, names: list[str]) -> None:
    """Machines no longer get this version, and it cannot be published again.

    First the point, then the row: after an interruption the next scrub finds it again.
    """
    site.point.withdraw(version.image, version.number)
    with site.database.writing() as session:
        row = session.scalar(select(ImageRow).where(ImageRow.name == version.image))
        for held in row.versions if row else ():
            if held.number == version.number:
                held.altered = sorted({*held.altered, *names})


def _look_at_sources(site: Site, found: _Findings, pace: Callable[[int], None]) -> None:
    with site.database.transaction() as session:
        sources = {row.name: row.source_digest for row in session.scalars(select(ImageRow))}
    for name, digest in sorted(sources.items()):
        found.read.add(digest)
        if _is_sound(site.blobs, digest, pace):
            found.size += site.blobs.require(digest).stat().st_size
            continue
        site.blobs.set_aside(digest)
        found.alarms += (f"the source of {name} was altered; examine the same file again",)
        with site.database.writing() as session:
            row = session.scalar(select(ImageRow).where(ImageRow.name == name))
            if row is not None and row.source_digest == digest:
                row.source_altered_at = row.source_altered_at or time.time()


def _look_at_the_rest(site: Site, found: _Findings, pace: Callable[[int], None]) -> None:
    """Drivers and files of properties: builds check them too, but an early alarm is better."""
    ended = {file.digest for version in _versions(site, sound=False) for file in version.files}
    for _store, what, digest in cleanup.stored(site):
        if digest in found.read or digest in ended:
            continue
        found.read.add(digest)
        if not _is_sound(site.blobs, digest, pace):
            site.blobs.set_aside(digest)
            found.alarms += (f"{what}: a stored file was altered; import it again",)


def _versions(site: Site, *, sound: bool = True) -> list[ContentVersion]:
    """All versions that are in service, or those that are not."""
    with site.database.transaction() as session:
        rows = session.scalars(select(ImageRow).order_by(ImageRow.name)).all()
        return [
            version_value(row, version)
            for row in rows
            for version in row.versions
            if bool(version.altered) != sound
        ]


def _is_sound(store: BlobStore, digest: str, pace: Callable[[int], None]) -> bool:
    try:
        store.verify(digest, pace)
    except ContentFault:
        return False
    return True


def _mended(
    digest: str, bad: list[BlobStore], stores: list[BlobStore], pace: Callable[[int], None]
) -> bool:
    """Quarantine each bad copy, then replace it by a sound one."""
    sound = [store for store in stores if store not in bad]
    for store in bad:
        store.set_aside(digest)
    for store in bad:
        for other in sound:
            with suppress(ContentFault):
                store.take_from(other, digest)
    return bool(sound) and all(_is_sound(store, digest, pace) for store in bad)


def _pace(
    bytes_per_second: int, progress: Progress, part: float, stage: str
) -> Callable[[int], None]:
    """Called with each piece that was read: reports progress (which may cancel) and waits."""

    def pace(size: int) -> None:
        progress(part, stage)
        if bytes_per_second:
            time.sleep(size / bytes_per_second)

    return pace
