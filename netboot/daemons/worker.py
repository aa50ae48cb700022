"""The worker: takes jobs from the queue, one after another in each lane, and says how they ended.

A job that is under way when the worker is told to stop is given back to the queue: the next
worker begins it anew. A lane that fails (the database is gone, a bug of ours) ends the process,
and whoever supervises it starts another.
"""

import os
import signal
import socket
import threading
import time
import traceback
from collections.abc import Callable
from types import FrameType
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from netboot.daemons import job_handlers
from netboot.daemons.webhook_sender import WebhookSender
from netboot.errors import NetbootError, OperatorFault, explained
from netboot.operations import jobs
from netboot.operations.points import cleanup as housekeeping
from netboot.operations.points import scrub as guarding
from netboot.site import Site
from netboot.store.database.jobs import (
    CANCELLED,
    FAILED,
    SUCCEEDED,
    Job,
    JobCancelled,
    JobFailed,
    LeaseLost,
    WorkerStops,
)

HEARTBEAT_SECONDS = 5.0
IDLE_SECONDS = 0.25
LOOK_AFTER_HOUSE_SECONDS = 60.0
TELL_SECONDS = 0.25

log = structlog.get_logger()


class JobContext:
    """What a handler gets: how to tell its progress, and whether it should stop."""

    def __init__(self, site: Site, job: Job, ending: threading.Event) -> None:
        self.site = site
        self.job = job
        self.stop = threading.Event()
        self.lost = threading.Event()
        self._ending = ending
        self._told = ("", 0.0)
        if job.cancel_requested:
            self.stop.set()

    def progress(self, part: float, stage: str) -> None:
        """Show progress, a few times a second. Raises like `check`."""
        self.check()
        now = time.monotonic()
        if stage != self._told[0] or now - self._told[1] >= TELL_SECONDS:
            self._told = (stage, now)
            self.site.jobs.report(self.job.id, progress=part, stage=stage)

    def line(self, text: str, *, part: float, stage: str) -> None:
        """Add a line to the job's log. Raises like `check`."""
        self.check()
        self.site.jobs.report(self.job.id, progress=part, stage=stage, line=text)

    def show(self, result: dict[str, Any], *, part: float, stage: str) -> None:
        """Show what there is of the job's result. Raises like `check`."""
        self.check()
        self.site.jobs.report(self.job.id, progress=part, stage=stage, result=result)

    def check(self) -> None:
        """Raises JobCancelled, LeaseLost or WorkerStops when the job must end."""
        if self.lost.is_set():
            raise LeaseLost("the job was given to another worker")
        if self.stop.is_set():
            raise JobCancelled("cancelled by an administrator")
        if self._ending.is_set():
            raise WorkerStops("the worker was told to stop")


class Worker:
    """One process that works through the queue until it is told to stop."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self._ending = threading.Event()
        self._failure: BaseException | None = None

    def run(self) -> None:
        """Work until `stop`; raises what ended a lane."""
        threads = [
            threading.Thread(target=self._lane, args=(f"{self.name}:{place}", kinds), name=kinds[0])
            for place, kinds in enumerate(job_handlers.LANES)
        ]
        threads.append(threading.Thread(target=self._webhooks, name="webhooks"))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.site.journal.close()
        if self._failure is not None:
            raise self._failure

    def stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """Give the running jobs back as soon as they tell their progress, take no more."""
        self._ending.set()

    def _lane(self, worker: str, kinds: tuple[str, ...]) -> None:
        """One job of these kinds at a time: builds must not wait for a boot test."""
        try:
            looked = -LOOK_AFTER_HOUSE_SECONDS
            while not self._ending.is_set():
                if time.monotonic() - looked >= LOOK_AFTER_HOUSE_SECONDS:
                    looked = time.monotonic()
                    for daily in (housekeeping.DAILY, guarding.DAILY):
                        jobs.queue_when_due(self.site, daily, kinds, now=time.time())
                job = self.site.jobs.claim(worker, kinds)
                if job is not None:
                    self._work(job, worker)
                else:
                    # Other processes queue by SQL alone; the look is one indexed query.
                    self._ending.wait(IDLE_SECONDS)
        except BaseException as failure:  # noqa: BLE001  raised again by `run`
            self._failure = failure
            self._ending.set()

    def _webhooks(self) -> None:
        """Tell others what happens here, beside the jobs."""
        try:
            WebhookSender(self.site).run(self._ending)
        except BaseException as failure:  # noqa: BLE001  raised again by `run`
            self._failure = failure
            self._ending.set()

    def _work(self, job: Job, worker: str) -> None:
        """One job from beginning to end, with its heart beating beside it."""
        context = JobContext(self.site, job, self._ending)
        done = threading.Event()
        heart = threading.Thread(target=self._beat, args=(context, worker, done), daemon=True)
        heart.start()
        try:
            self._carry_out(context, worker)
        except LeaseLost:
            log.warning("job.lost", job=job.id, kind=job.kind)
        finally:
            done.set()
            heart.join()

    def _carry_out(self, context: JobContext, worker: str) -> None:
        job, jobs = context.job, self.site.jobs
        handler: Callable[[JobContext], dict[str, Any]] = job_handlers.HANDLERS[job.kind]
        try:
            result = handler(context)
        except LeaseLost:
            raise
        except JobCancelled as stop:
            jobs.finish(job.id, CANCELLED, message=str(stop), worker=worker)
        except WorkerStops:
            jobs.give_back(job.id, worker)
        except NetbootError as fault:
            shown = fault.result if isinstance(fault, JobFailed) else None
            jobs.finish(job.id, FAILED, message=explained(fault), result=shown, worker=worker)
        except BaseException as bug:
            log.exception("job.bug", job=job.id, kind=job.kind)
            last = traceback.extract_tb(bug.__traceback__)[-1]
            message = f"an error of netboot itself: {bug!r} ({last.name})"
            jobs.finish(job.id, FAILED, message=message, worker=worker)
            if not isinstance(bug, Exception):
                raise
        else:
            jobs.finish(job.id, SUCCEEDED, result=result, worker=worker)

    def _beat(self, context: JobContext, worker: str, done: threading.Event) -> None:
        while not done.wait(HEARTBEAT_SECONDS):
            try:
                if self.site.jobs.beat(context.job.id, worker):
                    context.stop.set()
            except LeaseLost:
                context.lost.set()
                return
            except (OperatorFault, SQLAlchemyError) as fault:  # the next beat may do
                log.warning("job.beat", job=context.job.id, fault=str(fault))


def run_worker(site: Site) -> None:
    """Be the worker of a site until SIGTERM or SIGINT."""
    worker = Worker(site)
    signal.signal(signal.SIGTERM, worker.stop)
    signal.signal(signal.SIGINT, worker.stop)
    worker.run()
