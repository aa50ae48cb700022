"""What has changed: the database counts all changes by subject, from any process.

Triggers on the tables count, so that no writer can forget it, be it this process, the worker or
the command line. Who keeps a result asks for the subjects' numbers first and reads afterwards:
then a change in between makes the result be made once too often, never once too rarely.
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
    "jobs": ("jobs",),
    "accounts": ("accounts",),
}
"""The tables of each subject. A driver's contents and ids come and go with its row."""

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
    migration recreates the table.
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
            change = f"UPDATE changes SET number = number + 1 WHERE subject = '{subject}'"  # noqa: S608
            yield (
                f"CREATE TRIGGER IF NOT EXISTS {name} AFTER {event} ON {table} BEGIN {change}; END"
            )


def _on_postgres() -> Iterator[str]:
    yield _FUNCTION
    for subject, table in _counted():
        yield _beginning(subject)
        yield f"DROP TRIGGER IF EXISTS {table}_counted ON {table}"
        yield (
            f"CREATE TRIGGER {table}_counted AFTER {' OR '.join(_EVENTS)} ON {table}"
            f" FOR EACH STATEMENT EXECUTE FUNCTION netboot_changed('{subject}')"
        )


def _beginning(subject: str) -> str:
    values = f"('{subject}', 0)"
    return f"INSERT INTO changes (subject, number) VALUES {values} ON CONFLICT DO NOTHING"  # noqa: S608


def _counted() -> Iterator[tuple[str, str]]:
    for subject, tables in SUBJECTS.items():
        for table in tables:
            yield subject, table
