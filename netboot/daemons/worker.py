"""The worker: takes jobs from the queue, one after another in each lane.

When the worker stops, running jobs go back to the queue and the next worker starts them again. If a
lane fails (the database is gone, the disk is full, a bug), it tries again, each time after a longer
pause. A job whose database goes away in the middle is done again when the database is back.
"""

import os
import signal
import socket
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from types import FrameType

import structlog
from sqlalchemy.exc import SQLAlchemyError

from netboot.daemons import job_handlers
from netboot.daemons.job_context import Context
from netboot.daemons.keep_at import FIRST_PAUSE, LONGEST_PAUSE, keep_at
from netboot.daemons.starting.service_manager import service_manager
from netboot.daemons.webhook_sender import LOOK_SECONDS, WebhookSender
from netboot.errors import DatabaseFault, NetbootError, OperatorFault, explained
from netboot.operations import jobs
from netboot.operations.accounts import audit
from netboot.operations.machines import fleet_results
from netboot.operations.points import cleanup, scrub
from netboot.operations.processes import OwnReport
from netboot.site import Site
from netboot.store.content.disk_faults import disk_fault
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
from netboot.store.foreign.walled import missing_walls

HEARTBEAT_SECONDS = 5.0
IDLE_SECONDS = 0.25
DAILY_LOOK_SECONDS = 60.0
RESULTS_SECONDS = 0.5
AUDIT_SECONDS = 60.0
REST = 9
"""The worker rests this many times as long as a result took."""

MISSING_WALL = {
    "limits": "limits of memory, time and file size",
    "network": "an empty network namespace; the system or the unit forbids namespaces",
    "landlock": "only named files; the kernel or the unit's SystemCallFilter has no Landlock",
    "seccomp": "no sockets, no mounts; libseccomp2 is missing or the unit forbids it",
}

log = structlog.get_logger()


class Worker:
    """One process that works through the queue until it is asked to stop."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self._ending = threading.Event()
        self._report = OwnReport("worker")
        self._lanes = [
            _Lane(f"{self.name}:{place}", kinds) for place, kinds in enumerate(job_handlers.lanes())
        ]

    def run(self) -> None:
        """Work until `stop`, whatever fails meanwhile."""
        webhooks = WebhookSender(self.site)
        steps: dict[str, Callable[[], float]] = {
            "webhooks": lambda: (webhooks.send_due(time.time()), LOOK_SECONDS)[1],
            "results": self._results,
            "queue": self._look,
            "audit": lambda: (audit.settle(self.site, now=time.time()), AUDIT_SECONDS)[1],
        }
        for place, lane in enumerate(self._lanes):
            steps[f"jobs {place}: {lane.kinds[0]}"] = partial(self._lane, lane)
        threads = [
            threading.Thread(target=self._keep_at, args=(name, step), name=name)
            for name, step in steps.items()
        ]
        for thread in threads:
            thread.start()
        self._look_at_walls()
        self._report.ready()
        service_manager().ready("does queued jobs")
        for thread in threads:
            self._watch(thread, threads)
        self.site.journal.close()

    def _look_at_walls(self) -> None:
        """Say which walls this system does not draw around the readers of untrusted files."""
        missing = missing_walls()
        for wall in missing:
            log.warning("walls.missing", wall=wall, what=MISSING_WALL[wall])
        # Without sockets a process has no network, whatever its namespace.
        if set(missing) - ({"network"} if "seccomp" not in missing else set()):
            self._report.note(f"opens untrusted files without these walls: {', '.join(missing)}")

    def _watch(self, thread: threading.Thread, threads: Sequence[threading.Thread]) -> None:
        """Wait for the end of a thread; while all of them live, so does the worker."""
        manager = service_manager()
        while thread.is_alive():
            if self._ending.is_set() or all(one.is_alive() for one in threads):
                manager.alive()
            thread.join(manager.alive_seconds or None)

    def stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """Take no more jobs, and return the running ones when they next report progress."""
        self._ending.set()
        for lane in self._lanes:
            lane.has_work.set()

    def _keep_at(self, name: str, step: Callable[[], float]) -> None:
        trouble = partial(self._report.trouble, name)
        keep_at(step, self._ending, what=name, trouble=trouble)

    def _look(self) -> float:
        """Wake the lanes that have work; other processes queue by SQL only.

        One look for all lanes: a look of each, four times a second, took a tenth of a processor.
        """
        waiting = self.site.jobs.waiting()
        for lane in self._lanes:
            if not waiting.isdisjoint(lane.kinds):
                lane.has_work.set()
        return IDLE_SECONDS

    def _lane(self, lane: "_Lane") -> float:
        """One job of these kinds at a time: builds must not wait for a boot test."""
        if time.monotonic() - lane.looked >= DAILY_LOOK_SECONDS:
            lane.looked = time.monotonic()
            for daily in (cleanup.DAILY, scrub.DAILY):
                jobs.queue_when_due(self.site, daily, lane.kinds, now=time.time())
        if lane.has_work.wait(DAILY_LOOK_SECONDS) and not self._ending.is_set():
            job = self.site.jobs.claim(lane.worker, lane.kinds)
            if job is None:
                lane.has_work.clear()  # what was queued meanwhile is found by the next look
            else:
                self._work(job, lane.worker)
        return 0.0

    def _results(self) -> float:
        """Compute what pages show of the whole fleet, at a tenth of a processor."""
        began = time.thread_time()
        fleet_results.refresh(self.site)
        return max(RESULTS_SECONDS, REST * (time.thread_time() - began))

    def _work(self, job: Job, worker: str) -> None:
        """One job from beginning to end, while another thread renews its lease."""
        context = Context(self.site, job, self._ending)
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

    def _carry_out(self, context: Context, worker: str) -> None:
        job, jobs = context.job, self.site.jobs
        try:
            result = job_handlers.carry_out(context)
        except LeaseLost:
            raise
        except JobCancelled as stop:
            end = partial(jobs.finish, job.id, CANCELLED, message=str(stop), worker=worker)
        except WorkerStops:
            end = partial(jobs.give_back, job.id, worker)
        except DatabaseFault as fault:
            log.warning("job.database_gone", job=job.id, kind=job.kind, fault=str(fault))
            end = partial(jobs.try_again, job.id, worker, message=explained(fault))
        except NetbootError as fault:
            shown = fault.result if isinstance(fault, JobFailed) else None
            message = explained(fault)
            end = partial(jobs.finish, job.id, FAILED, message=message, result=shown, worker=worker)
        except BaseException as bug:  # noqa: BLE001  SystemExit too: no job ends the worker
            message = _cause(bug, job)
            end = partial(jobs.finish, job.id, FAILED, message=message, worker=worker)
        else:
            end = partial(jobs.finish, job.id, SUCCEEDED, result=result, worker=worker)
        self._write_end(job, end)

    def _write_end(self, job: Job, write: Callable[[], None]) -> None:
        """Write how a job ended; a database that is away does not lose it. Raises LeaseLost."""
        pause = 0.0
        while True:
            try:
                write()
            except DatabaseFault as fault:
                if self._ending.is_set():
                    raise  # the next worker takes the job when its lease is over
                pause = min(LONGEST_PAUSE, pause * 2 or FIRST_PAUSE)
                log.warning("job.end_not_written", job=job.id, fault=str(fault))
                self._ending.wait(pause)
            else:
                return

    def _beat(self, context: Context, worker: str, done: threading.Event) -> None:
        while not done.wait(HEARTBEAT_SECONDS):
            try:
                if self.site.jobs.beat(context.job.id, worker):
                    context.stop.set()
            except LeaseLost:
                context.lost.set()
                return
            except (OperatorFault, SQLAlchemyError) as fault:  # the next beat may succeed
                log.warning("job.beat", job=context.job.id, fault=str(fault))


def _cause(bug: BaseException, job: Job) -> str:
    """Why the job failed, for its page: the disk, or an error of netboot, which is logged."""
    fault = disk_fault(bug)
    if fault is not None:
        return explained(fault)
    log.error("job.bug", job=job.id, kind=job.kind, exc_info=bug)
    last = traceback.extract_tb(bug.__traceback__)[-1]
    return f"an error of netboot itself: {type(bug).__name__} ({last.name}); see the log"


class _Lane:
    """The name and kinds of a lane, when it last looked for daily jobs, and whether jobs wait."""

    def __init__(self, worker: str, kinds: tuple[jobs.JobKind, ...]) -> None:
        self.worker, self.kinds = worker, kinds
        self.looked = -DAILY_LOOK_SECONDS
        self.has_work = threading.Event()
        self.has_work.set()  # until it has looked


def run_worker(site: Site) -> None:
    """Run the worker of a site until SIGTERM or SIGINT."""
    worker = Worker(site)
    signal.signal(signal.SIGTERM, worker.stop)
    signal.signal(signal.SIGINT, worker.stop)
    worker.run()
