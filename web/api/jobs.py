"""Jobs over the API: background work, its progress and its result."""

from typing import Any

from flask import Response
from pydantic import Field

from netboot.operations import jobs as operations
from netboot.operations.jobs import JobView
from web.api.subject import PREFIX, Listed, NumberPath, Page, Subject, Tagged, Value, listed
from web.guard.access import Role, site
from web.pages.site.jobs import screenshot_of

jobs = Subject("jobs", "Background work: builds, imports, distribution, boot tests.")


class Job(Value):
    """A background job. `progress` is 0 to 1, times are epoch seconds."""

    id: int
    kind: str
    title: str
    state: str = Field(description="queued, running, succeeded, failed or cancelled")
    progress: float
    stage: str
    message: str
    result: dict[str, Any]
    created_at: float
    finished_at: float | None
    cancel_requested: bool
    dismissed: bool = Field(description="It failed, and an administrator has seen that.")


class JobWithLog(Job):
    """A job with its log so far."""

    log: list[str]


class JobSearch(Page):
    """Which jobs to return."""

    kind: str = Field(
        "", max_length=64, description="For example build_version or boot_test_machine."
    )


@jobs.verb("GET", "", needs=Role.VIEWER)
def list_jobs(query: JobSearch) -> Listed[Job]:
    """List jobs, newest first."""
    found = operations.list_jobs(site(), query.limit, offset=query.offset, kind=query.kind)
    return listed(Job, found, query, total=operations.count_jobs(site(), query.kind))


@jobs.verb("GET", "/<int:number>", needs=Role.VIEWER)
def get_job(path: NumberPath) -> JobWithLog:
    """Get a job with its log."""
    return JobWithLog.of(operations.get_job(site(), path.number))


@jobs.verb("GET", "/<int:number>/screenshot", needs=Role.VIEWER, gives_file="image/png")
def get_job_screenshot(path: NumberPath) -> Response:
    """Get the last screenshot of a test machine (PNG)."""
    return screenshot_of(path.number)


@jobs.verb("POST", "/<int:number>/cancel", needs=Role.OPERATOR, action="cancel")
def cancel_job(path: NumberPath) -> Job:
    """Stop a job."""
    return Job.of(operations.cancel(site(), path.number))


@jobs.verb("POST", "/<int:number>/retry", needs=Role.OPERATOR, action="retry")
def retry_job(path: NumberPath) -> Job:
    """Queue a job again that failed or was cancelled."""
    return Job.of(operations.retry(site(), path.number))


@jobs.verb("POST", "/<int:number>/dismiss", needs=Role.OPERATOR, action="dismiss")
def dismiss_job(path: NumberPath) -> Job:
    """Mark a failed job as seen, so that the overview no longer lists it."""
    return Job.of(operations.dismiss(site(), path.number))


Accepted = Tagged[Job]
"""The 202 answer for work that runs as a job: the job, and its address as a header."""


def accepted(job: JobView) -> Accepted:
    return Job.of(job), {"Location": f"{PREFIX}/jobs/{job.id}"}
