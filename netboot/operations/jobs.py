"""Long work: asked for here, done by the worker."""

from typing import Any

from netboot.errors import InvalidInput
from netboot.site import Site
from netboot.store.jobs import Job

JobView = Job

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


def list_jobs(site: Site, limit: int = 20) -> list[JobView]:
    """The newest jobs first."""
    return site.jobs.latest(limit)


def get_job(site: Site, job_id: int) -> JobView:
    """One job. Raises NotFound."""
    return site.jobs.get(job_id)


def cancel(site: Site, job_id: int) -> JobView:
    """Ask a job to stop. Raises NotFound, or OperatorFault when it has ended."""
    return site.jobs.cancel(job_id)
