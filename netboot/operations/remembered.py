"""Single facts of the site that must outlive a restart."""

from typing import Any

from netboot.site import Site
from netboot.store.database.records import FactRow

DEFAULTS_PROVIDED = "defaults_provided"
"""That the default images were made: who deletes them afterwards does not get them again."""


def recall(site: Site, name: str) -> dict[str, Any] | None:
    """What was remembered under this name."""
    with site.database.transaction() as session:
        row = session.get(FactRow, name)
        return row.value if row is not None else None


def remember(site: Site, name: str, value: dict[str, Any]) -> None:
    """Keep a fact; one of that name is replaced."""
    with site.database.writing() as session:
        session.merge(FactRow(name=name, value=value))
