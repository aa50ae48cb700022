"""The mark: up to which entry the journal is folded into the database.

Law: a process that folds entries takes the writer's turn, reads the mark, then writes rows and the
new mark in one transaction. So each entry is folded exactly once, even by two processes.
"""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import delete
from sqlalchemy.orm import Session

from netboot.store.boots.journal import Entry
from netboot.store.database.records import FactRow

READ_TO = "journal_read_to"
OLD_MARKS = ("boots_read_to", "machines_read_to")
WEBHOOKS = "webhooks_read_to"
SET_ASIDE = "journal_set_aside"
ENTRIES_NAMED = 20


@dataclass(frozen=True, slots=True)
class Mark:
    """Entries up to `id` are folded; machines and webhooks may already have some more."""

    id: int
    machines: int = 0
    webhooks: int = 0

    def moved(self, to: int) -> "Mark":
        return replace(self, id=to)


def read(session: Session) -> Mark | None:
    """The mark, or None if nothing was ever folded."""
    row = session.get(FactRow, READ_TO)
    return Mark(**row.value) if row is not None else None


def first(session: Session, newest: int) -> Mark:
    """The mark of a site that has none; `newest` is the last entry of the journal.

    Earlier releases had a mark each for boots, machines and webhooks. Folding continues from the
    smallest: boots can be folded again, machines and webhooks cannot. A site that never sent
    webhooks begins with the newest entry.
    """
    boots, machines = (_old(session, name, "id", 0) for name in OLD_MARKS)
    webhooks = _old(session, WEBHOOKS, "journal", newest)
    return Mark(min(boots, machines, webhooks), machines, webhooks)


def write(session: Session, mark: Mark) -> None:
    value = {"id": mark.id, "machines": mark.machines, "webhooks": mark.webhooks}
    session.merge(FactRow(name=READ_TO, value=value))
    session.execute(delete(FactRow).where(FactRow.name.in_(OLD_MARKS)))
    session.flush()


@dataclass(frozen=True, slots=True)
class SetAside:
    """Entries that could not be folded: how many so far, and the newest of them.

    Each of `newest` has the `id`, `kind`, `at` (epoch seconds) and `reason`, an error's name.
    """

    count: int = 0
    newest: tuple[dict[str, Any], ...] = ()


def set_aside(session: Session, entry: Entry, *, reason: str) -> None:
    """Note that an entry is in no row."""
    before = aside(session)
    event = entry.event
    one = {"id": entry.id, "kind": event.kind, "at": event.at, "reason": reason}
    newest = [one, *before.newest][:ENTRIES_NAMED]
    value = {"count": before.count + 1, "newest": newest}
    session.merge(FactRow(name=SET_ASIDE, value=value))


def aside(session: Session) -> SetAside:
    row = session.get(FactRow, SET_ASIDE)
    if row is None:
        return SetAside()
    return SetAside(row.value["count"], tuple(row.value["newest"]))


def _old(session: Session, name: str, field: str, default: int) -> int:
    row = session.get(FactRow, name)
    return int(row.value.get(field, default)) if row is not None else default
