"""The audit log: a hash chain of rows.

`hash` is SHA-256 over the row and the hash before it, so a changed, deleted or inserted row breaks
the chain from there on. A chain cannot show that its end was deleted, so the newest hash is also in
a file next to the database and in the service's log, which can be forwarded to another machine.

A change is noted as pending before it is made (`begin`), and its entry replaces the note in one
transaction. A note whose entry never came, because the disk filled up or the process died, becomes
an entry of unknown outcome (`overdue`): no change is without an entry.
"""

import hashlib
import json
import os
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import ColumnElement, delete, func, select

from netboot.store.database.account_records import AuditRow
from netboot.store.database.records import FactRow
from netboot.store.database.site_database import Database

GENESIS = hashlib.sha256(b"netboot audit 1").hexdigest()
HEAD_FILE = "audit.head"
PENDING = "audit.pending."
BATCH = 2000

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what to what, with its outcome; `via` is page, api, cli or site."""

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


@dataclass(frozen=True, slots=True)
class ChainVerdict:
    """The result of a verification; `faults` is empty if the chain is intact."""

    count: int
    head: str
    faults: tuple[str, ...]


def begin(database: Database, value: dict[str, Any]) -> str:
    """Note a change that is about to be made; returns the name of the note."""
    name = PENDING + secrets.token_hex(12)
    with database.writing() as session:
        session.add(FactRow(name=name, value=_plain({"at": time.time(), **value})))
    return name


def drop(database: Database, pending: str) -> None:
    """Delete a note: nothing was changed."""
    with database.writing() as session:
        session.execute(delete(FactRow).where(FactRow.name == pending))


def overdue(database: Database, *, before: float) -> list[tuple[str, dict[str, Any]]]:
    """Notes from before that time (epoch seconds), oldest first."""
    query = select(FactRow).where(FactRow.name.startswith(PENDING, autoescape=True))
    with database.transaction() as session:
        found = [(row.name, dict(row.value)) for row in session.scalars(query)]
    found = [one for one in found if one[1]["at"] < before]
    return sorted(found, key=lambda one: one[1]["at"])


class Settled(LookupError):
    """The note of a change is gone: its entry exists already."""


def append(
    database: Database,
    folder: Path,
    *,
    actor: str,
    via: str,
    action: str,
    subject: str = "",
    outcome: str = "done",
    address: str = "",
    details: dict[str, Any] | None = None,
    pending: str = "",
) -> AuditEntry:
    """Add a row to the chain, in place of the note `pending`; it is on disk when this returns.

    Raises Settled if there is no such note any more.
    """
    with database.writing() as session:
        if pending:
            note = session.get(FactRow, pending)
            if note is None:
                raise Settled(pending)
            session.delete(note)
        newest = session.scalar(select(AuditRow).order_by(AuditRow.id.desc()).limit(1))
        row = AuditRow(
            id=newest.id + 1 if newest else 1,
            at=time.time(),
            actor=_text(actor, 100),
            via=via,
            address=_text(address, 64),
            action=_text(action, 64),
            subject=_text(subject, 255),
            outcome=outcome,
            # As the database returns it, so that the hash stays the same.
            details=_plain(details or {}),
        )
        row.hash = _sealed(row, newest.hash if newest else GENESIS)
        session.add(row)
        session.flush()
        entry = _entry(row)
    _keep_head(folder, entry)
    return entry


def entries(
    database: Database, *, limit: int, before: int = 0, actor: str = "", subject: str = "",
    action: str = "", after: int = 0,
) -> list[AuditEntry]:  # fmt: skip
    """The entries that match, newest first; with `after`, oldest first."""
    query = select(AuditRow).where(*_conditions(actor, subject, action)).limit(limit)
    if before:
        query = query.where(AuditRow.id < before)
    if after:
        query = query.where(AuditRow.id > after).order_by(AuditRow.id)
    else:
        query = query.order_by(AuditRow.id.desc())
    with database.transaction() as session:
        return [_entry(row) for row in session.scalars(query)]


def count(database: Database, *, actor: str = "", subject: str = "", action: str = "") -> int:
    query = select(func.count()).select_from(AuditRow).where(*_conditions(actor, subject, action))
    with database.transaction() as session:
        return session.scalar(query) or 0


def last_id(database: Database) -> int:
    """The id of the newest entry, or 0."""
    with database.transaction() as session:
        return session.scalar(select(func.max(AuditRow.id))) or 0


def verify(database: Database, folder: Path, *, head: str = "") -> ChainVerdict:
    """Verify the whole chain. `head` is a hash that was saved elsewhere before."""
    faults: list[str] = []
    seen, before, noted = 0, GENESIS, not head
    kept_id, kept_hash = _kept_head(folder)
    kept_found = not kept_id
    with database.transaction() as session:
        rows = select(AuditRow).order_by(AuditRow.id).execution_options(yield_per=BATCH)
        for row in session.scalars(rows):
            if row.id != seen + 1:
                faults.append(f"entries {seen + 1} to {row.id - 1} are missing")
            if row.hash != _sealed(row, before):
                faults.append(f"entry {row.id} or an entry before it was changed")
            noted = noted or row.hash == head
            kept_found = kept_found or (row.id, row.hash) == (kept_id, kept_hash)
            seen, before = row.id, row.hash
            if len(faults) >= 20:
                break
    if not kept_found and len(faults) < 20:
        faults.append(f"entry {kept_id} is missing or was replaced: the end of the log was removed")
    if not noted:
        faults.append(f"no entry has the saved hash {head[:80]}")
    return ChainVerdict(seen, before, tuple(faults))


def _conditions(actor: str, subject: str, action: str) -> list[ColumnElement[bool]]:
    found = []
    if actor:
        found.append(AuditRow.actor == actor)
    if subject:
        found.append(AuditRow.subject == subject)
    if action:
        found.append(AuditRow.action.startswith(action, autoescape=True))
    return found


def _sealed(row: AuditRow, before: str) -> str:
    # Microseconds as an integer: the text of a float must not decide the hash.
    parts = [before, row.id, round(row.at * 1_000_000), row.actor, row.via, row.address]
    parts += [row.action, row.subject, row.outcome, row.details]
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(details: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps(details, default=str, ensure_ascii=False)
    found: dict[str, Any] = json.loads(text.replace("\0", "").encode("utf-8", "replace"))
    return found


def _text(value: str, most: int) -> str:
    # PostgreSQL has no NUL in texts, neither database has lone surrogates.
    return value.replace("\0", "").encode("utf-8", "replace").decode()[:most]


def _keep_head(folder: Path, entry: AuditEntry) -> None:
    """Note the newest hash; if the disk refuses, an older one stays, which is in the chain too."""
    # If two processes do this at the same time, the older head may stay.
    part = folder / f"{HEAD_FILE}.{os.getpid()}.{entry.id}.part"
    try:
        with part.open("w") as out:
            part.chmod(0o600)
            out.write(f"{entry.id} {entry.hash}\n")
            out.flush()
            os.fsync(out.fileno())
        part.replace(folder / HEAD_FILE)
    except OSError as fault:
        log.warning("audit.head_not_kept", entry=entry.id, hash=entry.hash, fault=str(fault))
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _kept_head(folder: Path) -> tuple[int, str]:
    with suppress(FileNotFoundError, ValueError):
        number, _, digest = (folder / HEAD_FILE).read_text().strip().partition(" ")
        return int(number), digest
    return 0, ""


def _entry(row: AuditRow) -> AuditEntry:
    return AuditEntry(**{each.name: getattr(row, each.name) for each in fields(AuditEntry)})
