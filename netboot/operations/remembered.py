"""Single facts about the site that must survive a restart."""

from typing import Any

from netboot.site import Site
from netboot.store.database.records import FactRow

DEFAULTS_PROVIDED = "defaults_provided"
"""The default images were made once: if an administrator deletes them, they stay deleted."""


def recall(site: Site, name: str) -> dict[str, Any] | None:
    with site.database.transaction() as session:
        row = session.get(FactRow, name)
        return row.value if row is not None else None


def remember(site: Site, name: str, value: dict[str, Any]) -> None:
    """Store a fact; it replaces one of the same name."""
    with site.database.writing() as session:
        session.merge(FactRow(name=name, value=value))
