"""What has changed: the database counts changes by subject, whichever process makes them.

Triggers on the tables count, so that no writer can forget it: not the console, the worker, the
projector or the command line. To keep a result, ask for the subjects' numbers first and read
afterwards: then a change in between computes the result once too often, never once too rarely.
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
"""The tables of each subject. A driver's contents and ids come and go with its row."""

FLEET = "fleet"
"""Counts what decides which image a machine gets and whether that will drive it: machines that
come, go or change in `_FATE`. A machine that is merely seen again is no change of the fleet."""

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
    """Have the database count from now on; what is there already stays.

    To be called after each change of the schema: SQLite loses a table's triggers where a
    migration creates the table again.
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
        yield _beginning(subject)
        for event in _EVENTS:
            name = f"{table}_{event.lower()}_counted"
            yield f"CREATE TRIGGER IF NOT EXISTS {name} AFTER {event} ON {table} {_counts(subject)}"
    yield _beginning(FLEET)
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
        yield _beginning(subject)
        yield f"DROP TRIGGER IF EXISTS {table}_counted ON {table}"
        yield (
            f"CREATE TRIGGER {table}_counted AFTER {' OR '.join(_EVENTS)} ON {table}"
            f" FOR EACH STATEMENT EXECUTE FUNCTION netboot_changed('{subject}')"
        )
    yield _beginning(FLEET)
    # For each row: INSERT … ON CONFLICT fires a statement's triggers even where it inserts none.
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


def _beginning(subject: str) -> str:
    values = f"('{subject}', 0)"
    return f"INSERT INTO changes (subject, number) VALUES {values} ON CONFLICT DO NOTHING"  # noqa: S608


def _counted() -> Iterator[tuple[str, str]]:
    for subject, tables in SUBJECTS.items():
        for table in tables:
            yield subject, table
