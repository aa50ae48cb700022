"""The messages for webhooks: boots, changes and jobs, queued as they happen.

The position in audit log and job list is stored together with the messages, so a restart neither
repeats nor loses any.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from netboot.boot.told.events import Event, PeOffline, PeReported
from netboot.operations.accounts.webhooks import Happening, queue
from netboot.store.boots.journal import Entry
from netboot.store.boots.journal_mark import WEBHOOKS
from netboot.store.database.account_records import AuditRow
from netboot.store.database.job_records import JobRow
from netboot.store.database.records import FactRow

BATCH = 500


def fold(entries: Iterable[Entry], session: Session, *, now: float) -> None:
    """Queue the messages about boots in these entries."""
    queue(session, [one for entry in entries for one in _of_boot(entry.event)], now=now)


def collect(session: Session, *, now: float) -> None:
    """Queue the changes and finished jobs since the last time.

    The first time it only notes where to begin.
    """
    fact = session.get(FactRow, WEBHOOKS)
    if fact is None:
        audit, jobs = session.scalar(select(func.max(AuditRow.id))) or 0, now
    else:
        audited, finished = _news(session, fact)
        queue(session, [*map(_of_audit, audited), *map(_of_job, finished)], now=now)
        audit = max([fact.value["audit"], *(row.id for row in audited)])
        jobs = max([fact.value["jobs"], *(row.finished_at or 0.0 for row in finished)])
    session.merge(FactRow(name=WEBHOOKS, value={"audit": audit, "jobs": jobs}))
    session.flush()


def has_news(session: Session) -> bool:
    """Whether `collect` has anything to do."""
    fact = session.get(FactRow, WEBHOOKS)
    if fact is None:
        return True
    newest = session.scalar(select(func.max(AuditRow.id))) or 0
    ended = session.scalar(select(func.max(JobRow.finished_at))) or 0.0
    return bool(newest > fact.value["audit"] or ended > fact.value["jobs"])


def _news(session: Session, fact: FactRow) -> tuple[Sequence[AuditRow], Sequence[JobRow]]:
    """New entries of the audit log and newly finished jobs, oldest first."""
    audited = select(AuditRow).where(AuditRow.id > fact.value["audit"]).order_by(AuditRow.id)
    ended = select(JobRow).where(JobRow.finished_at > fact.value["jobs"])
    return (
        session.scalars(audited.limit(BATCH)).all(),
        session.scalars(ended.order_by(JobRow.finished_at).limit(BATCH)).all(),
    )


def _of_boot(event: Event) -> Iterator[Happening]:
    """A report of a machine; the steps before it are of no interest to other programs."""
    if isinstance(event, PeReported | PeOffline):
        name = "boot.online" if isinstance(event, PeReported) else "boot.offline"
        data = {"mac": event.mac, "ip": event.ip, **event.details()}
        yield Happening(name, event.at, data)


def _of_audit(row: AuditRow) -> Happening:
    data: dict[str, Any] = {
        "id": row.id,
        "actor": row.actor,
        "via": row.via,
        "action": row.action,
        "subject": row.subject,
        "outcome": row.outcome,
        "hash": row.hash,
    }
    return Happening(f"audit.{row.action}", row.at, data)


def _of_job(row: JobRow) -> Happening:
    data = {
        "id": row.id,
        "kind": row.kind,
        "title": row.title,
        "message": row.message,
        "seconds": (row.finished_at or row.created_at) - row.created_at,
    }
    return Happening(f"job.{row.state}", row.finished_at or row.created_at, data)
