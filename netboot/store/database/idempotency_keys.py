"""Repeated requests: the first is executed, later ones get its answer again.

https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

import time
from dataclasses import dataclass, field
from enum import Enum

from sqlalchemy import delete

from netboot.store.database.account_records import RepeatRow
from netboot.store.database.site_database import Database

LIFE_SECONDS = 24 * 3600.0
GIVEN_UP_AFTER = 300.0
"""Seconds after which a request without an answer may be tried again."""


class Standing(Enum):
    """The state of a key."""

    NEW = "new"
    UNDER_WAY = "under way"
    ANOTHER = "another request"
    ANSWERED = "answered"


@dataclass(frozen=True, slots=True)
class Repeat:
    """The state of a key, and the answer if there is one."""

    standing: Standing
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""


def begin(database: Database, account_id: int, key: str, fingerprint: str) -> Repeat:
    """Claim a key for a request with this fingerprint, or return the state of an earlier one."""
    now = time.time()
    with database.writing() as session:
        session.execute(delete(RepeatRow).where(RepeatRow.created_at < now - LIFE_SECONDS))
        row = session.get(RepeatRow, (account_id, key))
        if row is not None and not row.status and row.created_at < now - GIVEN_UP_AFTER:
            session.delete(row)
            session.flush()
            row = None
        if row is None:
            claimed = {"account_id": account_id, "key": key, "fingerprint": fingerprint}
            session.add(RepeatRow(**claimed, status=0, headers={}, body="", created_at=now))
            return Repeat(Standing.NEW)
        if row.fingerprint != fingerprint:
            return Repeat(Standing.ANOTHER)
        if not row.status:
            return Repeat(Standing.UNDER_WAY)
        return Repeat(Standing.ANSWERED, row.status, dict(row.headers), row.body)


def finish(
    database: Database,
    account_id: int,
    key: str,
    *,
    status: int,
    headers: dict[str, str],
    body: str,
) -> None:
    with database.writing() as session:
        row = session.get(RepeatRow, (account_id, key))
        if row is not None:
            row.status, row.headers, row.body = status, headers, body


def give_up(database: Database, account_id: int, key: str) -> None:
    """Allow the request again: it had no effect."""
    with database.writing() as session:
        session.execute(
            delete(RepeatRow).where(RepeatRow.account_id == account_id, RepeatRow.key == key)
        )
