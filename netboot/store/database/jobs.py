"""Jobs, as rows: queued, claimed with a lease, kept alive by heartbeats, finished once.

A worker that dies loses its lease; then another one takes the job, or it fails after too many
attempts. So every handler must be repeatable: its work is in staging until the last step, which is
one rename and one transaction. With `attempts` above 1 a handler may find its own work done.
"""

import time
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import ColumnElement, bindparam, delete, func, select, true, update
from sqlalchemy.orm import Session

from netboot.errors import NotFound, OperatorFault
from netboot.store.database.job_records import JobRow
from netboot.store.database.site_database import Database

QUEUED, RUNNING = "queued", "running"
SUCCEEDED, FAILED, CANCELLED = "succeeded", "failed", "cancelled"
LEASE_SECONDS = 30.0
MAX_ATTEMPTS = 2
LOG_LINES = 400


class JobCancelled(OperatorFault):
    """A user cancelled the job; raised where the job reports its progress."""


class JobFailed(OperatorFault):
    """The job failed, but has a `result` to show."""

    def __init__(self, message: str, *, hint: str = "", result: dict[str, Any]) -> None:
        super().__init__(message, hint=hint)
        self.result = result


class JobInterrupted(OperatorFault):
    """The job will run again, so its files must stay."""


class LeaseLost(JobInterrupted):
    """Another worker has the job, since this one sent no heartbeat for too long."""


class WorkerStops(JobInterrupted):
    """The worker received a stop signal while the job was running."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLine:
    """A job as lists show it. `progress` is 0 to 1; times are epoch seconds."""

    id: int
    kind: str
    title: str
    arguments: dict[str, Any]
    state: str
    progress: float
    stage: str
    message: str
    created_at: float
    finished_at: float | None
    cancel_requested: bool
    dismissed: bool

    @property
    def finished(self) -> bool:
        return self.state in {SUCCEEDED, FAILED, CANCELLED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(JobLine):
    """A whole job. Log and result may be long; `attempts` counts the workers that claimed it."""

    log: tuple[str, ...]
    result: dict[str, Any]
    attempts: int = 0


class JobQueue:
    """The jobs table as a queue."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def submit(self, kind: str, arguments: dict[str, Any], *, title: str) -> Job:
        row = JobRow(
            kind=kind,
            title=title[:255],
            arguments=arguments,
            state=QUEUED,
            log=[],
            result={},
            created_at=time.time(),
        )
        with self._database.writing() as session:
            session.add(row)
            session.flush()
            return _job(row)

    def get(self, job_id: int) -> Job:
        """The job. Raises NotFound."""
        with self._database.transaction() as session:
            return _job(_row(session, job_id))

    def latest(self, limit: int = 20, *, offset: int = 0, kind: str = "") -> list[Job]:
        """The newest jobs, newest first."""
        query = select(JobRow).where(_of_kind(kind)).order_by(JobRow.id.desc())
        query = query.limit(limit).offset(offset)
        with self._database.transaction() as session:
            return [_job(row) for row in session.scalars(query)]

    def lines(self, limit: int = 20, *, unfinished: bool = False) -> list[JobLine]:
        """The newest jobs, newest first, without reading their logs."""
        query = _UNFINISHED if unfinished else _LINES
        with self._database.transaction() as session:
            found = session.execute(query, {"most": limit})
            return [JobLine(**row) for row in found.mappings()]

    def count(self, kind: str = "") -> int:
        query = select(func.count()).select_from(JobRow).where(_of_kind(kind))
        with self._database.transaction() as session:
            return session.scalar(query) or 0

    def waiting(self) -> set[str]:
        """The kinds of which a job can be claimed now."""
        with self._database.transaction() as session:
            return set(session.scalars(_WAITING, {"now": time.time()}))

    def claim(self, worker: str, kinds: tuple[str, ...]) -> Job | None:
        """Claim the oldest job of these kinds that is queued or whose worker died."""
        now = time.time()
        oldest = (
            select(JobRow)
            .where(JobRow.kind.in_(kinds), _CAN_BE_CLAIMED)
            .order_by(JobRow.id)
            .limit(1)
            .params(now=now)
        )
        with self._database.transaction() as session:
            if session.scalar(oldest) is None:
                return None  # the usual case needs no turn to write
        with self._database.writing() as session:
            while row := session.scalar(oldest):
                if row.state == QUEUED or row.attempts < MAX_ATTEMPTS:
                    row.state, row.worker, row.lease_until = RUNNING, worker, now + LEASE_SECONDS
                    row.attempts += 1
                    return _job(row)
                row.state, row.finished_at = FAILED, now
                row.message = f"interrupted {row.attempts} times because the worker stopped"
                session.flush()
        return None

    def give_back(self, job_id: int, worker: str) -> None:
        """Give the job to another worker, as if this one had never claimed it."""
        with self._database.writing() as session:
            row = _row(session, job_id)
            if (row.state, row.worker) == (RUNNING, worker):
                row.state, row.worker, row.lease_until = QUEUED, "", 0.0
                row.attempts -= 1

    def try_again(self, job_id: int, worker: str, *, message: str) -> None:
        """Queue a job that was cut off by a fault from outside; its attempts count.

        After too many attempts it fails with `message`. Raises LeaseLost.
        """
        with self._database.writing() as session:
            row = _row(session, job_id)
            if (row.state, row.worker) != (RUNNING, worker):
                raise LeaseLost(f"job {job_id} was given to another worker")
            row.worker, row.lease_until = "", 0.0
            if row.attempts < MAX_ATTEMPTS:
                row.state, row.progress = QUEUED, 0.0
            else:
                row.state, row.finished_at, row.message = FAILED, time.time(), message[:4000]

    def beat(self, job_id: int, worker: str) -> bool:
        """Renew the lease; True if the job should stop. Raises LeaseLost."""
        renew = (
            update(JobRow)
            .where(JobRow.id == job_id, JobRow.worker == worker, JobRow.state == RUNNING)
            .values(lease_until=time.time() + LEASE_SECONDS)
            .returning(JobRow.cancel_requested)
        )
        with self._database.writing() as session:
            cancel = session.execute(renew).scalar_one_or_none()
        if cancel is None:
            raise LeaseLost(f"job {job_id} was given to another worker")
        return bool(cancel)

    def report(
        self,
        job_id: int,
        *,
        progress: float,
        stage: str,
        line: str = "",
        result: dict[str, Any] | None = None,
    ) -> None:
        """Record progress; adds `line` to the log and replaces the result so far."""
        with self._database.writing() as session:
            row = _row(session, job_id)
            row.progress = min(1.0, max(0.0, progress))
            row.stage = stage[:255]
            if line:
                row.log = [*row.log, line][-LOG_LINES:]
            if result is not None:
                row.result = result

    def finish(
        self,
        job_id: int,
        state: str,
        *,
        message: str = "",
        result: dict[str, Any] | None = None,
        worker: str = "",
    ) -> None:
        """End the job. Raises LeaseLost if `worker` is given and no longer has it."""
        with self._database.writing() as session:
            row = _row(session, job_id)
            if worker and (row.state, row.worker) != (RUNNING, worker):
                raise LeaseLost(f"job {job_id} was given to another worker")
            row.state, row.message, row.finished_at = state, message[:4000], time.time()
            row.result = result or {}
            row.lease_until = 0.0
            if state == SUCCEEDED:
                row.progress = 1.0

    def forget(self, *, before: float) -> int:
        """Delete jobs that ended before `before` (epoch seconds); returns the number."""
        old = delete(JobRow).where(JobRow.finished_at < before).returning(JobRow.id)
        with self._database.writing() as session:
            return len(session.scalars(old).all())

    def cancel(self, job_id: int) -> Job:
        """Ask the job to stop; a queued job stops at once."""
        with self._database.writing() as session:
            row = _row(session, job_id)
            if row.state == QUEUED:
                row.state, row.finished_at = CANCELLED, time.time()
                row.message = "cancelled before it started"
            elif row.state == RUNNING:
                row.cancel_requested = True
            else:
                raise OperatorFault(f"job {job_id} has already {row.state}")
            session.flush()
            return _job(row)

    def dismiss(self, job_id: int) -> Job:
        """Mark a failed job as seen: it needs no decision. Raises NotFound, OperatorFault."""
        with self._database.writing() as session:
            row = _row(session, job_id)
            if row.state != FAILED:
                raise OperatorFault(f"job {job_id} has not failed")
            row.dismissed = True
            session.flush()
            return _job(row)

    def retry(self, job_id: int) -> Job:
        """Queue a job again that failed or was cancelled. Raises NotFound, OperatorFault."""
        with self._database.writing() as session:
            row = _row(session, job_id)
            if row.state not in {FAILED, CANCELLED}:
                raise OperatorFault(f"job {job_id} has not failed")
            row.state, row.stage, row.message, row.worker = QUEUED, "", "", ""
            row.progress, row.lease_until, row.attempts = 0.0, 0.0, 0
            row.cancel_requested = row.dismissed = False
            row.log, row.result = [], {}
            row.created_at, row.finished_at = time.time(), None
            session.flush()
            return _job(row)


_LINES = (
    select(*(getattr(JobRow, field.name) for field in fields(JobLine)))
    .order_by(JobRow.id.desc())
    .limit(bindparam("most"))
)
_CAN_BE_CLAIMED = (JobRow.state == QUEUED) | (
    (JobRow.state == RUNNING) & (JobRow.lease_until < bindparam("now"))
)
"""Queued, or its worker died."""

_WAITING = select(JobRow.kind).where(_CAN_BE_CLAIMED).distinct()
_UNFINISHED = _LINES.where(JobRow.state.in_((QUEUED, RUNNING)))


def _of_kind(kind: str) -> ColumnElement[bool]:
    return JobRow.kind == kind if kind else true()


def _row(session: Session, job_id: int) -> JobRow:
    row = session.get(JobRow, job_id)
    if row is None:
        raise NotFound(f"there is no job {job_id}")
    return row


def _job(row: JobRow) -> Job:
    return Job(
        id=row.id,
        kind=row.kind,
        title=row.title,
        arguments=row.arguments,
        state=row.state,
        progress=row.progress or 0.0,
        stage=row.stage or "",
        message=row.message or "",
        log=tuple(row.log or ()),
        result=row.result or {},
        created_at=row.created_at,
        finished_at=row.finished_at,
        cancel_requested=bool(row.cancel_requested),
        dismissed=bool(row.dismissed),
        attempts=row.attempts,
    )
