"""The audit log over the API."""

from typing import Any

from pydantic import BaseModel, Field

from netboot.operations.accounts import audit as operations
from web.api.subject import LARGEST_NUMBER, LARGEST_PAGE, Subject, Value
from web.guard.access import Role, site

audit = Subject("audit", "All changes and who made them, as a chain of hashes.")


class AuditEntry(Value):
    """Who changed what, and the result."""

    id: int
    at: float
    actor: str
    via: str
    address: str
    action: str
    subject: str
    outcome: str
    details: dict[str, Any]
    hash: str


class AuditEntries(Value):
    """A page of the audit log, newest first; `before` requests the next page."""

    total: int
    items: list[AuditEntry]


class AuditSearch(BaseModel):
    """Which entries to return."""

    limit: int = Field(50, ge=1, le=LARGEST_PAGE)
    before: int = Field(0, ge=0, le=LARGEST_NUMBER, description="Only entries with a lower number.")
    actor: str = Field("", max_length=100)
    subject: str = Field("", max_length=255, description="For example images/lab-pe-x64.")
    action: str = Field("", max_length=64, description="The action or a prefix of it: images.")


class NotedHash(BaseModel):
    """A hash that was saved outside netboot."""

    head: str = Field("", max_length=64)


class ChainVerdict(Value):
    """The result of the verification; the log is intact if there are no faults."""

    count: int
    head: str
    faults: list[str]


@audit.verb("GET", "", needs=Role.VIEWER)
def list_audit(query: AuditSearch) -> AuditEntries:
    """List audit entries, newest first."""
    wanted = {"actor": query.actor, "subject": query.subject, "action": query.action}
    found = operations.entries(site(), limit=query.limit, before=query.before, **wanted)
    return AuditEntries(
        total=operations.count(site(), **wanted),
        items=[AuditEntry.of(entry) for entry in found],
    )


@audit.verb("GET", "/verify", needs=Role.VIEWER)
def verify_audit(query: NotedHash) -> ChainVerdict:
    """Verify that the audit log has not been changed."""
    return ChainVerdict.of(operations.verify(site(), head=query.head))
