"""What the handler of a job gets: progress, and the job's upload."""

import shutil
import threading
import time
from pathlib import Path
from typing import Any

import structlog

from netboot.errors import DatabaseFault
from netboot.site import Site
from netboot.store.database.jobs import Job, JobCancelled, LeaseLost, WorkerStops

REPORT_SECONDS = 0.25
OUTCOME = "outcome"
"""In the result of a job that still runs: how its work ended."""

log = structlog.get_logger()


class Context:
    """What a handler gets; each method raises JobCancelled, LeaseLost, WorkerStops to end it."""

    def __init__(self, site: Site, job: Job, ending: threading.Event) -> None:
        self.site = site
        self.job = job
        self.stop = threading.Event()
        self.lost = threading.Event()
        self._ending = ending
        self._reported = ("", 0.0)
        if job.cancel_requested:
            self.stop.set()

    def progress(self, part: float, stage: str) -> None:
        """Show progress, a few times a second."""
        self.check()
        now = time.monotonic()
        if stage != self._reported[0] or now - self._reported[1] >= REPORT_SECONDS:
            self._reported = (stage, now)
            try:
                self.site.jobs.report(self.job.id, progress=part, stage=stage)
            except DatabaseFault as fault:  # a number on a page; the work goes on without it
                log.warning("job.progress", job=self.job.id, fault=str(fault))

    def line(self, text: str, *, part: float, stage: str) -> None:
        """Add a line to the job's log."""
        self.check()
        self.site.jobs.report(self.job.id, progress=part, stage=stage, line=text)

    def show(self, result: dict[str, Any], *, part: float, stage: str) -> None:
        """Show what there is of the job's result."""
        self.check()
        self.site.jobs.report(self.job.id, progress=part, stage=stage, result=result)

    def check(self) -> None:
        if self.lost.is_set():
            raise LeaseLost("the job was given to another worker")
        if self.stop.is_set():
            raise JobCancelled("cancelled by an administrator")
        if self._ending.is_set():
            raise WorkerStops("the worker was asked to stop")


def settle(site: Site, job: Job, outcome: dict[str, Any]) -> None:
    """Write how the work of a job ended, then delete its upload, if it has one.

    Raises DatabaseFault: then the upload stays for the next attempt.
    """
    path = job.arguments.get("path")
    if path:
        result = {**outcome.get("result", {}), OUTCOME: outcome}
        site.jobs.report(job.id, progress=0.99, stage="done", result=result)
        forget_upload(site, Path(path))


def forget_upload(site: Site, path: Path) -> None:
    """Delete an upload; never a file outside the folder of uploads."""
    uploads = (site.data / "uploads").resolve()
    path = path.resolve()
    if path != uploads and path.is_relative_to(uploads):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
