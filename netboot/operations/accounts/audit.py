"""The audit log: who did what, and whether the log is intact.

Pages, API and command line record each change before they report success.
"""

from collections.abc import Mapping
from typing import Any

import structlog

from netboot.site import Site
from netboot.store.database import audit as store
from netboot.store.database.audit import AuditEntry, ChainVerdict

DONE, REFUSED, FAILED = "done", "refused", "failed"
VIA_PAGE, VIA_API, VIA_CLI, VIA_SITE = "page", "api", "cli", "site"
LONGEST_VALUE = 300
SECRET_WORDS = ("password", "token", "secret", "again", "csrf", "key", "database_url")

log = structlog.get_logger(__name__)


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
) -> AuditEntry:
    """Raises OperatorFault if the database cannot take it. Secrets in `details` are left out."""
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
    return store.entries(
        site.database, limit=limit, before=before, actor=actor, subject=subject, action=action
    )


def count(site: Site, *, actor: str = "", subject: str = "", action: str = "") -> int:
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
