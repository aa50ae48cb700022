"""Webhooks: other programs that are notified of events.

Events have names like `boot.offline`, `job.failed`, `audit.images.build`; a webhook lists patterns
(`boot.*`). Each message is signed with the webhook's secret.
"""

import fnmatch
import re
import secrets
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from netboot.errors import InvalidInput, NotFound
from netboot.outbound import check_host
from netboot.site import Site
from netboot.store.database.account_records import DeliveryRow, WebhookRow

PENDING, DELIVERED, FAILED = "pending", "delivered", "failed"
EVENTS = (
    ("boot.online", "a machine came up with a network"),
    ("boot.offline", "a machine came up without a network"),
    ("job.succeeded", "a job ended well"),
    ("job.failed", "a job failed"),
    ("job.cancelled", "a job was cancelled"),
    ("audit.*", "a change, by its action: audit.images.build"),
)
TEST = "webhook.test"
MOST = 50
KEPT_SECONDS = 7 * 24 * 3600.0
_PATTERN = re.compile(r"[a-z*][a-z_.*-]{0,63}")


@dataclass(frozen=True, slots=True)
class WebhookView:
    """A webhook; its secret was shown once, when it was made."""

    id: int
    url: str
    events: tuple[str, ...]
    enabled: bool
    created_at: float


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """A message on its way; `answer` is the result of the last try."""

    id: int
    webhook_id: int
    event: str
    state: str
    attempts: int
    answer: str
    created_at: float
    due_at: float


@dataclass(frozen=True, slots=True)
class Happening:
    """An event for webhooks: its name, when it happened (epoch seconds), and the facts."""

    event: str
    at: float
    data: dict[str, Any]


def add_webhook(site: Site, url: str, events: Iterable[str]) -> tuple[WebhookView, str]:
    """Notify `url` of these events; returns also the secret that signs messages.

    Raises InvalidInput.
    """
    row = WebhookRow(
        url=_checked_url(site, url),
        secret=secrets.token_urlsafe(32),
        events=_checked_events(events),
        enabled=True,
        created_at=time.time(),
    )
    with site.database.writing() as session:
        if len(session.scalars(select(WebhookRow.id)).all()) >= MOST:
            raise InvalidInput(f"there are {MOST} webhooks already", hint="Remove one first.")
        session.add(row)
        session.flush()
        return _view(row), row.secret


def change_webhook(
    site: Site,
    number: int,
    *,
    url: str | None = None,
    events: Iterable[str] | None = None,
    enabled: bool | None = None,
) -> WebhookView:
    """Raises NotFound, InvalidInput."""
    with site.database.writing() as session:
        row = _found(session, number)
        row.url = row.url if url is None else _checked_url(site, url)
        row.events = row.events if events is None else _checked_events(events)
        row.enabled = row.enabled if enabled is None else enabled
        session.flush()
        return _view(row)


def list_webhooks(site: Site) -> list[WebhookView]:
    """All webhooks, oldest first."""
    with site.database.transaction() as session:
        return [_view(row) for row in session.scalars(select(WebhookRow).order_by(WebhookRow.id))]


def get_webhook(site: Site, number: int) -> WebhookView:
    """Raises NotFound."""
    with site.database.transaction() as session:
        return _view(_found(session, number))


def remove_webhook(site: Site, number: int) -> None:
    """Raises NotFound."""
    with site.database.writing() as session:
        session.delete(_found(session, number))


def send_test(site: Site, number: int) -> DeliveryView:
    """Queue a message that only shows that messages arrive. Raises NotFound."""
    with site.database.writing() as session:
        row = _found(session, number)
        happening = Happening(TEST, time.time(), {"text": "netboot can reach you"})
        delivery = _delivery(row, happening)
        session.add(delivery)
        session.flush()
        return _delivery_view(delivery)


def deliveries(site: Site, number: int, limit: int = 50) -> list[DeliveryView]:
    """The messages of a webhook, newest first. Raises NotFound."""
    query = (
        select(DeliveryRow)
        .where(DeliveryRow.webhook_id == number)
        .order_by(DeliveryRow.id.desc())
        .limit(limit)
    )
    with site.database.transaction() as session:
        _found(session, number)
        return [_delivery_view(row) for row in session.scalars(query)]


def queue(session: Session, happenings: Collection[Happening], *, now: float) -> None:
    """Queue the events for every webhook that wants them, and delete old messages."""
    if not happenings:
        return
    hooks = session.scalars(select(WebhookRow).where(WebhookRow.enabled.is_(True))).all()
    for happening in happenings:
        for hook in hooks:
            if wants(hook.events, happening.event):
                session.add(_delivery(hook, happening))
    old = now - KEPT_SECONDS
    session.execute(
        delete(DeliveryRow).where(DeliveryRow.created_at < old, DeliveryRow.state != PENDING)
    )


def wants(patterns: Iterable[str], event: str) -> bool:
    return any(fnmatch.fnmatchcase(event, pattern) for pattern in patterns)


def _delivery(hook: WebhookRow, happening: Happening) -> DeliveryRow:
    now = time.time()
    return DeliveryRow(
        webhook_id=hook.id,
        event=happening.event[:64],
        payload={"event": happening.event, "at": happening.at, "data": happening.data},
        state=PENDING,
        attempts=0,
        due_at=now,
        answer="",
        created_at=now,
    )


def _checked_url(site: Site, url: str) -> str:
    url = url.strip()
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or len(url) > 1000 or not url.isascii() or not url.isprintable() or " " in url:
        raise InvalidInput(  # the address is not repeated: it may have a key in it
            "that is not an address to send to", hint="Like https://chat.example/hooks/42."
        )
    check_host(parts.hostname or "", site.settings.webhook_networks)
    return url


def _checked_events(events: Iterable[str]) -> list[str]:
    words = list(dict.fromkeys(word.strip() for word in events if word.strip()))
    wrong = next((word for word in words if not _PATTERN.fullmatch(word)), None)
    if wrong is not None or not 1 <= len(words) <= 20:
        raise InvalidInput(
            f"{wrong[:40]!r} is not an event" if wrong is not None else "name 1 to 20 events",
            hint=f"Events: {', '.join(name for name, _ in EVENTS)}; * matches anything.",
        )
    return words


def _found(session: Session, number: int) -> WebhookRow:
    row = session.get(WebhookRow, number)
    if row is None:
        raise NotFound(f"there is no webhook {number}")
    return row


def _view(row: WebhookRow) -> WebhookView:
    return WebhookView(row.id, row.url, tuple(row.events), row.enabled, row.created_at)


def _delivery_view(row: DeliveryRow) -> DeliveryView:
    return DeliveryView(
        id=row.id,
        webhook_id=row.webhook_id,
        event=row.event,
        state=row.state,
        attempts=row.attempts or 0,
        answer=row.answer or "",
        created_at=row.created_at,
        due_at=row.due_at,
    )
