"""Sends webhooks: looks what happened since the last time, and tells whoever wants to know.

Where it has read to stands in the database, together with the messages that came of it, so
nothing is told twice or left out over a restart; a message may reach its receiver twice when an
answer is lost, which its delivery id shows. Receivers that fail are tried again, ever later.

Signature: `Netboot-Signature: t=<seconds>,v1=<HMAC-SHA-256 of "<seconds>.<body>", hex>`.
"""

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from netboot.boot.told.events import Event, PeOffline, PeReported
from netboot.errors import NetbootError
from netboot.operations.accounts.webhooks import DELIVERED, FAILED, PENDING, Happening, queue
from netboot.outbound import Outbound
from netboot.site import Site
from netboot.store.database.account_records import AuditRow, DeliveryRow, WebhookRow
from netboot.store.database.records import FactRow, JobRow

READ_TO = "webhooks_read_to"
LOOK_SECONDS = 1.0
BATCH = 500
SECONDS = 10.0
"""What one message may take, from the first byte to the end of the answer's head."""
RETRY_SECONDS = (10.0, 60.0, 300.0, 1800.0, 7200.0)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Mark:
    """How far events, audit log and jobs have been read."""

    journal: int
    audit: int
    jobs: float


class WebhookSender:
    """Collects and sends, until it is told to stop."""

    def __init__(self, site: Site, *, seconds: float = SECONDS) -> None:
        self._site = site
        self._outbound = Outbound(site.settings.webhook_networks, seconds=seconds)

    def run(self, ending: threading.Event) -> None:
        """Look once a second; a database that fails for a while is tried again."""
        while not ending.is_set():
            try:
                self.collect(time.time())
                self.send_due(time.time())
            except NetbootError as fault:
                log.warning("webhooks.trouble", fault=str(fault))
            ending.wait(LOOK_SECONDS)

    def collect(self, now: float) -> int:
        """Queue messages about what happened since the last time; how many that are."""
        mark = self._mark(now)
        entries = self._site.journal.events_since(mark.journal, BATCH)
        told = [found for entry in entries for found in _of_boot(entry.event)]
        with self._site.database.transaction() as session:
            audited = session.scalars(_newer_audit(mark)).all()
            finished = session.scalars(_newer_jobs(mark)).all()
            wanted = session.scalar(select(WebhookRow.id).limit(1)) is not None
        if not entries and not audited and not finished:
            return 0
        told += [_of_audit(row) for row in audited] + [_of_job(row) for row in finished]
        after = _Mark(
            journal=entries[-1].id if entries else mark.journal,
            audit=audited[-1].id if audited else mark.audit,
            jobs=max([mark.jobs, *(row.finished_at or 0.0 for row in finished)]),
        )
        with self._site.database.writing() as session:
            queued = queue(session, told, now=now) if wanted else 0
            _keep(session, after)
        return queued

    def send_due(self, now: float) -> int:
        """Send what is due; how many messages arrived."""
        query = (
            select(DeliveryRow, WebhookRow)
            .join(WebhookRow, WebhookRow.id == DeliveryRow.webhook_id)
            .where(DeliveryRow.state == PENDING, DeliveryRow.due_at <= now)
            .order_by(DeliveryRow.id)
            .limit(20)
        )
        with self._site.database.transaction() as session:
            due = [(delivery, hook) for delivery, hook in session.execute(query)]
        return sum(self._send(delivery, hook) for delivery, hook in due)

    def _send(self, delivery: DeliveryRow, hook: WebhookRow) -> bool:
        body = json.dumps({"id": delivery.id, **delivery.payload}, sort_keys=True).encode()
        seconds = int(time.time())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "netboot",
            "Netboot-Event": delivery.event,
            "Netboot-Delivery": str(delivery.id),
            "Netboot-Signature": f"t={seconds},v1={signature(hook.secret, seconds, body)}",
        }
        try:
            status = self._outbound.post(hook.url, body, headers)
            arrived, answer = 200 <= status < 300, f"HTTP {status}"
        except OSError as fault:
            arrived, answer = False, str(fault)
        self._tell(delivery.id, answer, arrived=arrived)
        return arrived

    def _tell(self, number: int, answer: str, *, arrived: bool) -> None:
        with self._site.database.writing() as session:
            row = session.get(DeliveryRow, number)
            if row is None:
                return  # its webhook was removed meanwhile
            row.attempts += 1
            row.answer = answer[:255]
            if arrived:
                row.state = DELIVERED
            elif row.attempts > len(RETRY_SECONDS):
                row.state = FAILED
            else:
                row.due_at = time.time() + RETRY_SECONDS[row.attempts - 1]

    def _mark(self, now: float) -> _Mark:
        """How far was read; a site that never looked begins with what comes from now on."""
        with self._site.database.transaction() as session:
            fact = session.get(FactRow, READ_TO)
            newest = session.scalar(select(AuditRow.id).order_by(AuditRow.id.desc()).limit(1))
        journal = self._site.journal.last_id()
        if fact is None:
            mark = _Mark(journal, newest or 0, now)
            with self._site.database.writing() as session:
                _keep(session, mark)
            return mark
        kept = _Mark(**fact.value)
        # A journal that was lost begins anew with small numbers.
        return kept if kept.journal <= journal else _Mark(0, kept.audit, kept.jobs)


def signature(secret: str, seconds: int, body: bytes) -> str:
    """What proves that a message is ours and not old."""
    text = f"{seconds}.".encode() + body
    return hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()


def _keep(session: Session, mark: _Mark) -> None:
    value = {"journal": mark.journal, "audit": mark.audit, "jobs": mark.jobs}
    session.merge(FactRow(name=READ_TO, value=value))


def _newer_audit(mark: _Mark) -> Any:
    return select(AuditRow).where(AuditRow.id > mark.audit).order_by(AuditRow.id).limit(BATCH)


def _newer_jobs(mark: _Mark) -> Any:
    newer = JobRow.finished_at > mark.jobs
    return select(JobRow).where(newer).order_by(JobRow.finished_at).limit(BATCH)


def _of_boot(event: Event) -> Iterator[Happening]:
    """What a machine reported; steps on the way are for the page."""
    if isinstance(event, PeReported | PeOffline):
        name = "boot.online" if isinstance(event, PeReported) else "boot.offline"
        data = {"mac": event.mac, "ip": event.ip, **event.details()}
        yield Happening(name, event.at, data)


def _of_audit(row: AuditRow) -> Happening:
    data = {
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
