"""The audit log: who did what, and whether the log is intact.

Pages, API and command line note each change before they make it (`begin`) and record it when it is
made (`finish`). If the entry cannot be written then, the change stands and is reported, and the
entry follows: from this process, or from the worker with the outcome `unknown`.
"""

import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from netboot.errors import NetbootError
from netboot.site import Site
from netboot.store.database import audit as store
from netboot.store.database.audit import AuditEntry, ChainVerdict

DONE, REFUSED, FAILED, UNKNOWN = "done", "refused", "failed", "unknown"
FOLLOW_SECONDS = 2.0
OVERDUE_SECONDS = 600.0
"""A request or command is over by then, or its process has died."""

VIA_PAGE, VIA_API, VIA_CLI, VIA_SITE = "page", "api", "cli", "site"
LONGEST_VALUE = 300
SECRET_WORDS = ("password", "token", "secret", "again", "csrf", "key", "database_url")

log = structlog.get_logger(__name__)


_unwritten: dict[Path, list[dict[str, Any]]] = {}
"""Entries of this process whose changes are made, by data folder."""

_unwritten_lock = threading.Lock()
_never = threading.Event()


def begin(
    site: Site,
    *,
    actor: str,
    via: str,
    action: str,
    subject: str = "",
    address: str = "",
    details: Mapping[str, Any] | None = None,
) -> str:
    """Note a change that is about to be made; returns a name for `finish`.

    Raises DatabaseFault: then the change must not be made.
    """
    write_late_entries(site)
    value = {"actor": actor, "via": via, "action": action, "subject": subject, "address": address}
    return store.begin(site.database, {**value, "details": without_secrets(details or {})})


def finish(site: Site, pending: str, **entry: Any) -> bool:
    """Record a change that was begun; never raises, for the change is made.

    False if the entry must be written later. `entry` is as for `record`.
    """
    try:
        record(site, pending=pending, **entry)
    except (NetbootError, OSError, SQLAlchemyError, store.Settled) as fault:
        # The answer must say what was done. The note is in the database.
        log.exception("audit.entry_follows", action=entry.get("action"), fault=str(fault))
        with _unwritten_lock:
            waiting = _unwritten.setdefault(site.data, [])
            waiting.append({"pending": pending, **entry})
            is_first = len(waiting) == 1
        if is_first:
            threading.Thread(target=_follow, args=(site,), name="audit", daemon=True).start()
        return False
    return True


def _follow(site: Site) -> None:
    """Write late entries as soon as the database takes them."""
    while _unwritten.get(site.data):
        _never.wait(FOLLOW_SECONDS)
        write_late_entries(site)


def drop(site: Site, pending: str) -> None:
    """Nothing was changed; never raises: a note that stays becomes an entry."""
    try:
        store.drop(site.database, pending)
    except NetbootError as fault:
        log.warning("audit.note_stays", fault=str(fault))


def write_late_entries(site: Site) -> None:
    """Write the entries of this process that could not be written when they were due."""
    with _unwritten_lock:
        waiting = _unwritten.pop(site.data, [])
        while waiting:
            try:
                record(site, **waiting[0])
            except store.Settled:
                pass  # the worker was faster
            except NetbootError as fault:
                log.warning("audit.entry_follows", fault=str(fault))
                _unwritten[site.data] = waiting
                return
            except (OSError, SQLAlchemyError):  # the note becomes an entry of unknown outcome
                log.exception("audit.entry_not_written", action=waiting[0].get("action"))
            waiting.pop(0)


def settle(site: Site, *, now: float) -> int:
    """Record overdue changes, whose outcome is unknown; returns their number.

    `now` is epoch seconds. Raises DatabaseFault.
    """
    late = store.overdue(site.database, before=now - OVERDUE_SECONDS)
    for pending, value in late:
        began = value.pop("at")
        details = {**value.pop("details"), "began": round(began)}
        with suppress(store.Settled):
            record(site, pending=pending, outcome=UNKNOWN, details=details, **value)
    return len(late)


def record(
    site: Site,
    *,
    actor: str,
    via: str,
    action: str,
    subject: str = "",
    outcome: str = DONE,
    address: str = "",
    details: Mapping[str, Any] | None = None,
    pending: str = "",
) -> AuditEntry:
    """Write an entry, in place of the note `pending`. Secrets in `details` are left out.

    Raises DatabaseFault if the database cannot take it.
    """
    entry = store.append(
        site.database,
        site.data,
        actor=actor,
        via=via,
        action=action,
        subject=subject,
        outcome=outcome,
        address=address,
        details=without_secrets(details or {}),
        pending=pending,
    )
    log.info(
        "audit",
        id=entry.id,
        actor=entry.actor,
        via=entry.via,
        action=entry.action,
        subject=entry.subject,
        outcome=entry.outcome,
        hash=entry.hash,
    )
    return entry


def without_secrets(details: Mapping[str, Any]) -> dict[str, Any]:
    """The details as they are kept: without secrets, and shortened."""
    return {
        str(name)[:60]: _shortened(value)
        for name, value in details.items()
        if not any(word in str(name).lower() for word in SECRET_WORDS)
    }


def entries(
    site: Site,
    *,
    limit: int = 50,
    before: int = 0,
    actor: str = "",
    subject: str = "",
    action: str = "",
) -> list[AuditEntry]:
    """Entries newest first; those before the number `before`. `action` may be its beginning."""
    write_late_entries(site)
    return store.entries(
        site.database, limit=limit, before=before, actor=actor, subject=subject, action=action
    )


def count(site: Site, *, actor: str = "", subject: str = "", action: str = "") -> int:
    write_late_entries(site)
    return store.count(site.database, actor=actor, subject=subject, action=action)


def last_change(site: Site, subject: str) -> AuditEntry | None:
    """The newest successful change of something."""
    found = (entry for entry in entries(site, subject=subject) if entry.outcome == DONE)
    return next(found, None)


def verify(site: Site, *, head: str = "") -> ChainVerdict:
    """Whether the log is intact; `head` is a hash that was noted elsewhere."""
    return store.verify(site.database, site.data, head=head)


def _shortened(value: Any) -> Any:
    match value:
        case str():
            return value if len(value) <= LONGEST_VALUE else value[:LONGEST_VALUE] + "…"
        case dict():
            return without_secrets(value)
        case list() | tuple():
            return [_shortened(item) for item in value[:50]]
        case _:
            return value
