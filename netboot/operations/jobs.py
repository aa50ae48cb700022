"""Long work: queued here, done by the worker."""

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from netboot.errors import NotFound, NotPermitted, OperatorFault
from netboot.operations import remembered as facts
from netboot.site import LAB_FOLDER, Site
from netboot.store.content.disk_faults import disk_fault
from netboot.store.database.jobs import Job, JobLine

JobView = Job
LineView = JobLine
LOOK_SECONDS = 0.5
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

DAY = 24 * 3600.0


class JobKind(StrEnum):
    """The kinds of job; the values are in the database, in the API and in webhooks.

    Each has one `ask_…` function, next to the operation that does the work, and one handler in
    `job_handlers`, whose parameters are the job's arguments.
    """

    BUILD_VERSION = "build_version"
    UPDATE_POINTS = "update_distribution_points"
    IMPORT_IMAGE = "import_image"
    EXAMINE_SOURCE = "examine_source"
    VERIFY_CONTENT = "verify_content"
    SCRUB = "scrub"
    IMPORT_DRIVERS = "import_drivers"
    BOOT_TEST_MACHINE = "boot_test_machine"
    CHECK_NETWORK = "check_network"
    READ_CAPTURE = "read_capture"
    CLEAN_UP = "clean_up"
    BUILD_MEDIA = "build_media"
    BACK_UP = "back_up"
    MAKE_LAB_PE = "make_lab_pe"


def submit(site: Site, kind: JobKind, arguments: dict[str, Any], *, title: str) -> JobView:
    """Queue a job. Pages, API and command line call the `ask_…` functions instead."""
    return site.jobs.submit(str(kind), arguments, title=title)


@dataclass(frozen=True, slots=True)
class Daily:
    """A job that the site queues once a day; the fact `mark` holds the time of the last one."""

    kind: JobKind
    mark: str
    title: str


def queue_when_due(site: Site, daily: Daily, kinds: tuple[JobKind, ...], *, now: float) -> None:
    """Queue the job if a worker of these kinds takes it and the last one was a day ago.

    `now` is epoch seconds. On a new site the first call starts the clock.
    """
    if daily.kind not in kinds:
        return
    last = facts.recall(site, daily.mark)
    if last is not None and now - last["at"] < DAY:
        return
    facts.remember(site, daily.mark, {"at": now})
    if last is not None:
        submit(site, daily.kind, {}, title=daily.title)


def list_jobs(site: Site, limit: int = 20, *, offset: int = 0, kind: str = "") -> list[JobView]:
    """The newest jobs first, all or those of a kind."""
    return site.jobs.latest(limit, offset=offset, kind=kind)


def list_lines(site: Site, limit: int = 20) -> list[LineView]:
    """The newest jobs first, without their logs and results, which may be long."""
    return site.jobs.lines(limit)


def list_unfinished(site: Site, limit: int = 20) -> list[LineView]:
    """Waiting and running jobs, the newest first."""
    return site.jobs.lines(limit, unfinished=True)


def count_jobs(site: Site, kind: str = "") -> int:
    return site.jobs.count(kind)


def get_job(site: Site, job_id: int) -> JobView:
    """Raises NotFound."""
    return site.jobs.get(job_id)


def follow(site: Site, job_id: int) -> Iterator[JobView]:
    """The job after each change, until it has ended. Raises NotFound.

    The worker is another process, so this reads the row twice a second.
    """
    last: tuple[object, ...] = ()
    while True:
        job = get_job(site, job_id)
        now = (job.state, job.progress, job.stage, job.message)
        if now != last:
            yield job
        if job.finished:
            return
        last = now
        time.sleep(LOOK_SECONDS)


def screenshot(site: Site, job_id: int) -> Path:
    """The last picture of a test machine's screen; that of a running one changes.

    Raises NotFound.
    """
    result = get_job(site, job_id).result
    digest = result.get("screenshot", "")
    if isinstance(digest, str) and DIGEST.fullmatch(digest):
        return site.blobs.require(digest)
    live = Path(str(result.get("screen") or "."))
    if live.is_file() and live.resolve().is_relative_to((site.data / LAB_FOLDER).resolve()):
        return live
    raise NotFound(f"job {job_id} has no picture of a screen")


def save_screenshot(site: Site, job_id: int, target: Path) -> int:
    """Copy the picture; returns its size in bytes. Raises NotFound, NotPermitted, DiskFault."""
    source = screenshot(site, job_id)
    part = target.with_name(f"{target.name}.part")
    try:
        shutil.copyfile(source, part)
        part.replace(target)
    except OSError as fault:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        if explained := disk_fault(fault, target.parent):
            raise explained from fault
        raise NotPermitted(
            f"{target} cannot be written: {fault.strerror}", hint="Name another file."
        ) from fault
    return target.stat().st_size


def dismiss(site: Site, job_id: int) -> JobView:
    """A failed job was seen and needs no decision. Raises NotFound, OperatorFault."""
    return site.jobs.dismiss(job_id)


def can_retry(job: LineView) -> bool:
    """Whether a job could run again: it did not succeed, and its upload is still here."""
    path = job.arguments.get("path")
    return job.state in {"failed", "cancelled"} and (path is None or Path(path).exists())


def retry(site: Site, job_id: int) -> JobView:
    """Queue a job again that failed or was cancelled.

    Raises NotFound, OperatorFault if it did neither or its upload was deleted.
    """
    job = get_job(site, job_id)
    if job.state in {"failed", "cancelled"} and not can_retry(job):
        raise OperatorFault(
            f"the uploaded file of job {job_id} was deleted", hint="Upload the file again."
        )
    return site.jobs.retry(job_id)


def cancel(site: Site, job_id: int) -> JobView:
    """Ask a job to stop. Raises NotFound, or OperatorFault if it has ended."""
    return site.jobs.cancel(job_id)
