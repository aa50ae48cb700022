"""Change counters: the database counts all changes by subject, from any process.

Triggers on the tables count, so that no writer can omit it. To cache a result, read the numbers of
its subjects first and the data afterwards: then a change in between causes one computation too
many, never one too few.
"""

from collections.abc import Iterator

from sqlalchemy import Connection, String
from sqlalchemy.orm import Mapped, mapped_column

from netboot.store.database.records import Row

SUBJECTS = {
    "catalog": ("drivers", "known_pairs"),
    "images": ("images", "image_drivers", "versions", "media"),
    "policy": ("default_images", "deployments"),
    "machines": ("machines",),
    "boots": ("boots",),
    "jobs": ("jobs",),
    "accounts": ("accounts",),
}
"""The tables of each subject. The contents and ids of a driver change only with its row."""

FLEET = "fleet"
"""Counts new and deleted machines, and changes in `_FATE`, on which image and coverage depend. A
machine that is merely seen again does not count."""

_FATE = ("source", "devices", "architecture", "firmware")
_EVENTS = ("INSERT", "UPDATE", "DELETE")
_FUNCTION = """\
CREATE OR REPLACE FUNCTION netboot_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE changes SET number = number + 1 WHERE subject = TG_ARGV[0];
    RETURN NULL;
END $$"""


class ChangeRow(Row):
    """How often a subject was changed."""

    __tablename__ = "changes"

    subject: Mapped[str] = mapped_column(String(32), primary_key=True)
    number: Mapped[int] = mapped_column(default=0)


def count_changes(connection: Connection) -> None:
    """Create the triggers that are missing.

    To be called after each change of the schema: SQLite drops the triggers of a table that a
    migration recreates (sqlite.org/lang_altertable.html, "Making Other Kinds Of Table Schema
    Changes").
    """
    postgres = connection.dialect.name == "postgresql"
    for statement in _on_postgres() if postgres else _on_sqlite():
        connection.exec_driver_sql(statement)


def numbers(connection: Connection) -> dict[str, int]:
    """How often each subject was changed."""
    rows = connection.exec_driver_sql("SELECT subject, number FROM changes").all()
    return {str(subject): int(number) for subject, number in rows}


def _on_sqlite() -> Iterator[str]:
    for subject, table in _counted():
        yield _first_row(subject)
        for event in _EVENTS:
            name = f"{table}_{event.lower()}_counted"
            yield f"CREATE TRIGGER IF NOT EXISTS {name} AFTER {event} ON {table} {_counts(subject)}"
    yield _first_row(FLEET)
    changed = " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in _FATE)
    for event, when in (("INSERT", ""), ("DELETE", ""), ("UPDATE", f"WHEN {changed}")):
        name = f"fleet_{event.lower()}_counted"
        yield (
            f"CREATE TRIGGER IF NOT EXISTS {name} AFTER {event} ON machines {when} {_counts(FLEET)}"
        )


def _counts(subject: str) -> str:
    return f"BEGIN UPDATE changes SET number = number + 1 WHERE subject = '{subject}'; END"  # noqa: S608


def _on_postgres() -> Iterator[str]:
    yield _FUNCTION
    for subject, table in _counted():
        yield _first_row(subject)
        yield f"DROP TRIGGER IF EXISTS {table}_counted ON {table}"
        yield (
            f"CREATE TRIGGER {table}_counted AFTER {' OR '.join(_EVENTS)} ON {table}"
            f" FOR EACH STATEMENT EXECUTE FUNCTION netboot_changed('{subject}')"
        )
    yield _first_row(FLEET)
    # FOR EACH ROW: INSERT with ON CONFLICT fires the statement triggers of INSERT and UPDATE even
    # if it changes no row (PostgreSQL, "Overview of Trigger Behavior").
    changed = " OR ".join(
        f"OLD.{column}::text IS DISTINCT FROM NEW.{column}::text" for column in _FATE
    )
    for event, when in (("INSERT OR DELETE", ""), ("UPDATE", f"WHEN ({changed})")):
        name = f"fleet_{event[:6].lower()}_counted"
        yield f"DROP TRIGGER IF EXISTS {name} ON machines"
        yield (
            f"CREATE TRIGGER {name} AFTER {event} ON machines"
            f" FOR EACH ROW {when} EXECUTE FUNCTION netboot_changed('{FLEET}')"
        )


def _first_row(subject: str) -> str:
    values = f"('{subject}', 0)"
    return f"INSERT INTO changes (subject, number) VALUES {values} ON CONFLICT DO NOTHING"  # noqa: S608


def _counted() -> Iterator[tuple[str, str]]:
    for subject, tables in SUBJECTS.items():
        for table in tables:
            yield subject, table
