"""Long work: asked for here, done by the worker."""

from dataclasses import dataclass
from typing import Any

from netboot.errors import InvalidInput
from netboot.operations import facts
from netboot.site import Site
from netboot.store.jobs import Job

JobView = Job

DAY = 24 * 3600.0

KINDS = (
    "build_version",
    "update_distribution_points",
    "import_image",
    "examine_source",
    "verify_content",
    "scrub",
    "import_drivers",
    "boot_test_machine",
    "check_network",
    "read_capture",
    "clean_up",
    "build_media",
)


def submit(site: Site, kind: str, arguments: dict[str, Any], *, title: str) -> JobView:
    """Queue work. Raises InvalidInput for a kind that no worker knows."""
    if kind not in KINDS:
        raise InvalidInput(f"no worker knows the job {kind!r}", hint=f"Jobs: {', '.join(KINDS)}.")
    return site.jobs.submit(kind, arguments, title=title)


@dataclass(frozen=True, slots=True)
class Daily:
    """A job that the site gives itself once a day; the fact `mark` says when it last did."""

    kind: str
    mark: str
    title: str


def queue_when_due(site: Site, daily: Daily, kinds: tuple[str, ...], *, now: float) -> None:
    """Queue the job, if a worker of these kinds takes it and a day has gone by.

    `now` is epoch seconds. A new site begins to count with the first call.
    """
    if daily.kind not in kinds:
        return
    last = facts.recall(site, daily.mark)
    if last is not None and now - last["at"] < DAY:
        return
    facts.remember(site, daily.mark, {"at": now})
    if last is not None:
        site.jobs.submit(daily.kind, {}, title=daily.title)


def list_jobs(site: Site, limit: int = 20) -> list[JobView]:
    """The newest jobs first."""
    return site.jobs.latest(limit)


def get_job(site: Site, job_id: int) -> JobView:
    """One job. Raises NotFound."""
    return site.jobs.get(job_id)


def cancel(site: Site, job_id: int) -> JobView:
    """Ask a job to stop. Raises NotFound, or OperatorFault when it has ended."""
    return site.jobs.cancel(job_id)
