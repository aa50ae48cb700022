"""How far the journal was folded into the database: one mark for all that is made of it.

Law: a process that folds entries takes the writer's turn, reads the mark, then writes the rows
and the new mark in that one transaction. So nothing is folded twice or left out, even where two
processes fold at once.
"""

from dataclasses import dataclass, replace

from sqlalchemy import delete
from sqlalchemy.orm import Session

from netboot.store.database.records import FactRow

READ_TO = "journal_read_to"
OLD_MARKS = ("boots_read_to", "machines_read_to")
WEBHOOKS = "webhooks_read_to"


@dataclass(frozen=True, slots=True)
class Mark:
    """Entries up to `id` are folded; into machines and webhooks perhaps some more already."""

    id: int
    machines: int = 0
    webhooks: int = 0

    def moved(self, to: int) -> "Mark":
        """The mark after entries up to `to` were folded."""
        return replace(self, id=to)


def read(session: Session) -> Mark | None:
    """The mark; None where nothing was ever folded."""
    row = session.get(FactRow, READ_TO)
    return Mark(**row.value) if row is not None else None


def first(session: Session, newest: int) -> Mark:
    """The mark of a site that has none yet; `newest` is the journal's last entry.

    Releases before this one had a mark for each of boots, machines and webhooks: folding goes on
    from the smallest of them. A boot may be folded again; machines and webhooks must not.
    Webhooks are sent what happens from now on where nothing was ever sent.
    """
    boots, machines = (_old(session, name, "id", 0) for name in OLD_MARKS)
    webhooks = _old(session, WEBHOOKS, "journal", newest)
    return Mark(min(boots, machines, webhooks), machines, webhooks)


def write(session: Session, mark: Mark) -> None:
    """Keep the mark; the old ones go."""
    value = {"id": mark.id, "machines": mark.machines, "webhooks": mark.webhooks}
    session.merge(FactRow(name=READ_TO, value=value))
    session.execute(delete(FactRow).where(FactRow.name.in_(OLD_MARKS)))
    session.flush()


def _old(session: Session, name: str, field: str, default: int) -> int:
    row = session.get(FactRow, name)
    return int(row.value.get(field, default)) if row is not None else default
