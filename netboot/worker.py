"""The worker: takes jobs from the queue, one after another, and says how they ended."""

import os
import signal
import socket
import threading
import traceback
from collections.abc import Callable
from types import FrameType
from typing import Any

import structlog

from netboot.errors import NetbootError, OperatorFault
from netboot.operations import job_handlers
from netboot.site import Site
from netboot.store.jobs import (
    CANCELLED,
    FAILED,
    SUCCEEDED,
    Job,
    JobCancelled,
    JobFailed,
    LeaseLost,
)

HEARTBEAT_SECONDS = 5.0
IDLE_SECONDS = 0.25

log = structlog.get_logger()


class JobContext:
    """What a handler gets: how to tell its progress, and whether it should stop."""

    def __init__(self, site: Site, job: Job) -> None:
        self.site = site
        self.job = job
        self.stop = threading.Event()
        self.lost = threading.Event()

    def progress(self, part: float, stage: str) -> None:
        """Show progress. Raises JobCancelled or LeaseLost when the job must end."""
        self.check()
        self.site.jobs.report(self.job.id, progress=part, stage=stage)

    def line(self, text: str, *, part: float, stage: str) -> None:
        """Add a line to the job's log. Raises like `progress`."""
        self.check()
        self.site.jobs.report(self.job.id, progress=part, stage=stage, line=text)

    def check(self) -> None:
        """Raises JobCancelled or LeaseLost when the job must end."""
        if self.lost.is_set():
            raise LeaseLost("the job was given to another worker")
        if self.stop.is_set():
            raise JobCancelled("cancelled by an administrator")


class Worker:
    """One process that works through the queue until it is told to stop."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self._ending = threading.Event()

    def run(self) -> None:
        """Work until `stop`."""
        threads = [
            threading.Thread(target=self._lane, args=(kinds,), name=kinds[0])
            for kinds in job_handlers.LANES
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """Finish the running jobs, take no more."""
        self._ending.set()

    def _lane(self, kinds: tuple[str, ...]) -> None:
        """One job of these kinds at a time: builds must not wait for a boot test."""
        while not self._ending.is_set():
            job = self.site.jobs.claim(f"{self.name}:{kinds[0]}", kinds)
            if job is None:
                # Other processes queue by SQL alone; the look is one indexed query.
                self._ending.wait(IDLE_SECONDS)
                continue
            self._work(job, f"{self.name}:{kinds[0]}")

    def _work(self, job: Job, worker: str) -> None:
        context = JobContext(self.site, job)
        done = threading.Event()
        heart = threading.Thread(target=self._beat, args=(context, worker, done), daemon=True)
        heart.start()
        handler: Callable[[JobContext], dict[str, Any]] = job_handlers.HANDLERS[job.kind]
        try:
            result = handler(context)
        except JobCancelled as stop:
            self.site.jobs.finish(job.id, CANCELLED, message=str(stop))
        except LeaseLost:
            log.warning("job.lost", job=job.id, kind=job.kind)
        except OperatorFault as fault:
            message = f"{fault}. {fault.hint}" if fault.hint else str(fault)
            shown = fault.result if isinstance(fault, JobFailed) else None
            self.site.jobs.finish(job.id, FAILED, message=message, result=shown)
        except NetbootError as fault:
            self.site.jobs.finish(job.id, FAILED, message=str(fault))
        except BaseException as bug:
            log.exception("job.bug", job=job.id, kind=job.kind)
            last = traceback.extract_tb(bug.__traceback__)[-1]
            self.site.jobs.finish(
                job.id, FAILED, message=f"an error of netboot itself: {bug!r} ({last.name})"
            )
            if not isinstance(bug, Exception):
                raise
        else:
            self.site.jobs.finish(job.id, SUCCEEDED, result=result)
        finally:
            done.set()
            heart.join()

    def _beat(self, context: JobContext, worker: str, done: threading.Event) -> None:
        while not done.wait(HEARTBEAT_SECONDS):
            try:
                if self.site.jobs.beat(context.job.id, worker):
                    context.stop.set()
            except LeaseLost:
                context.lost.set()
                return


def run_worker(site: Site) -> None:
    """Be the worker of a site until SIGTERM or SIGINT."""
    worker = Worker(site)
    signal.signal(signal.SIGTERM, worker.stop)
    signal.signal(signal.SIGINT, worker.stop)
    worker.run()
