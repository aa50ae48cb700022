"""The worker: takes jobs from the queue, one after another in each lane.

When the worker stops, running jobs go back to the queue and the next worker starts them again. If a
lane fails (the database is gone, a bug), the process ends and the supervisor starts another.
"""

import os
import signal
import socket
import threading
import time
import traceback
from collections.abc import Callable
from functools import partial
from types import FrameType

import structlog
from sqlalchemy.exc import SQLAlchemyError

from netboot.daemons import job_handlers
from netboot.daemons.webhook_sender import WebhookSender
from netboot.errors import NetbootError, OperatorFault, explained
from netboot.operations import jobs
from netboot.operations.machines import fleet_results
from netboot.operations.points import cleanup, scrub
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
DAILY_LOOK_SECONDS = 60.0
RESULTS_SECONDS = 0.5
REST = 9
"""The worker rests this many times as long as a result took."""

log = structlog.get_logger()


class Worker:
    """One process that works through the queue until it is asked to stop."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self._ending = threading.Event()
        self._failure: BaseException | None = None

    def run(self) -> None:
        """Work until `stop`; raises what ended a thread."""
        tasks: dict[str, Callable[[], None]] = {
            "webhooks": lambda: WebhookSender(self.site).run(self._ending),
            "results": self._results,
        }
        for place, kinds in enumerate(job_handlers.lanes()):
            tasks[f"{place}: {kinds[0]}"] = partial(self._lane, f"{self.name}:{place}", kinds)
        threads = [
            threading.Thread(target=self._guarded, args=(task,), name=name)
            for name, task in tasks.items()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.site.journal.close()
        if self._failure is not None:
            raise self._failure

    def stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """Take no more jobs, and return the running ones when they next report progress."""
        self._ending.set()

    def _guarded(self, task: Callable[[], None]) -> None:
        """Run a thread's task; if it fails, the worker ends."""
        try:
            task()
        except BaseException as failure:  # noqa: BLE001  raised again by `run`
            self._failure = failure
            self._ending.set()

    def _lane(self, worker: str, kinds: tuple[jobs.JobKind, ...]) -> None:
        """One job of these kinds at a time: builds must not wait for a boot test."""
        looked = -DAILY_LOOK_SECONDS
        while not self._ending.is_set():
            if time.monotonic() - looked >= DAILY_LOOK_SECONDS:
                looked = time.monotonic()
                for daily in (cleanup.DAILY, scrub.DAILY):
                    jobs.queue_when_due(self.site, daily, kinds, now=time.time())
            job = self.site.jobs.claim(worker, kinds)
            if job is not None:
                self._work(job, worker)
            else:
                # Other processes queue by SQL only; this is one indexed query.
                self._ending.wait(IDLE_SECONDS)

    def _results(self) -> None:
        """Compute what pages show of the whole fleet, at a tenth of a processor."""
        trouble = ""
        while not self._ending.is_set():
            began = time.thread_time()
            try:
                fleet_results.refresh(self.site)
                trouble = ""
            except NetbootError as fault:  # the next try may succeed; pages show the old result
                if str(fault) != trouble:
                    log.warning("results not computed", reason=str(fault))
                trouble = str(fault)
            spent = time.thread_time() - began
            self._ending.wait(max(RESULTS_SECONDS, REST * spent))

    def _work(self, job: Job, worker: str) -> None:
        """One job from beginning to end, while another thread renews its lease."""
        context = job_handlers.Context(self.site, job, self._ending)
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

    def _carry_out(self, context: job_handlers.Context, worker: str) -> None:
        job, jobs = context.job, self.site.jobs
        try:
            result = job_handlers.carry_out(context)
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

    def _beat(self, context: job_handlers.Context, worker: str, done: threading.Event) -> None:
        while not done.wait(HEARTBEAT_SECONDS):
            try:
                if self.site.jobs.beat(context.job.id, worker):
                    context.stop.set()
            except LeaseLost:
                context.lost.set()
                return
            except (OperatorFault, SQLAlchemyError) as fault:  # the next beat may succeed
                log.warning("job.beat", job=context.job.id, fault=str(fault))


def run_worker(site: Site) -> None:
    """Run the worker of a site until SIGTERM or SIGINT."""
    worker = Worker(site)
    signal.signal(signal.SIGTERM, worker.stop)
    signal.signal(signal.SIGINT, worker.stop)
    worker.run()
