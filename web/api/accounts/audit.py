"""The audit log over the API."""

from typing import Any

from pydantic import BaseModel, Field

from netboot.operations.accounts import audit as operations
from web.api.subject import LARGEST_NUMBER, LARGEST_PAGE, Subject, Value
from web.guard.access import Role, site
from web.live.turns import out_of_turn

audit = Subject("audit", "What was done, by whom, in a chain of hashes.")


class AuditEntry(Value):
    """Who did what to what, and how it ended."""

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
    """A part of the log, newest first; `before` asks for the following part."""

    total: int
    items: list[AuditEntry]


class AuditSearch(BaseModel):
    """Which entries."""

    limit: int = Field(50, ge=1, le=LARGEST_PAGE)
    before: int = Field(0, ge=0, le=LARGEST_NUMBER, description="Only entries below this number.")
    actor: str = Field("", max_length=100)
    subject: str = Field("", max_length=255, description="Like images/lab-pe-x64.")
    action: str = Field("", max_length=64, description="The action or its beginning: images.")


class NotedHash(BaseModel):
    """A hash that was noted earlier, in another place."""

    head: str = Field("", max_length=64)


class ChainVerdict(Value):
    """What verifying found; the chain holds where there are no faults."""

    count: int
    head: str
    faults: list[str]


@audit.verb("GET", "", needs=Role.VIEWER, gives=AuditEntries)
def list_audit(query: AuditSearch) -> AuditEntries:
    """What was done, newest first."""
    wanted = {"actor": query.actor, "subject": query.subject, "action": query.action}
    found = operations.entries(site(), limit=query.limit, before=query.before, **wanted)
    return AuditEntries(
        total=operations.count(site(), **wanted),
        items=[AuditEntry.model_validate(entry) for entry in found],
    )


@audit.verb("GET", "/verify", needs=Role.VIEWER, gives=ChainVerdict)
@out_of_turn
def verify_audit(query: NotedHash) -> ChainVerdict:
    """Whether the log is as it was written."""
    return ChainVerdict.model_validate(operations.verify(site(), head=query.head))
