"""The schema of a database: its revision, the migrations to another, and the release that made it.

The functions work in the transaction that they are given: a crash leaves the schema as it was.
"""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from netboot import __version__
from netboot.errors import OperatorFault
from netboot.store.database.records import FactRow

MIGRATIONS = Path(__file__).with_name("migrations")
RELEASE = "schema_made_by"
"""The fact that names the release which brought the schema to its revision."""


def revision(connection: Connection) -> str | None:
    """The schema's revision, or None for a database without tables of netboot."""
    if not connection.dialect.has_table(connection, "alembic_version"):
        return None
    found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return str(found) if found is not None else None


def migrate(connection: Connection, to: str = "head") -> None:
    """Run the migrations up to this revision. The database knows all revisions so far."""
    from alembic import command

    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def is_known(found: str) -> bool:
    """Whether this release has the migration to this revision."""
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(_config())
    return found in {script.revision for script in scripts.walk_revisions()}


def require_known(connection: Connection, found: str) -> None:
    """Raises OperatorFault for a schema of a newer release, and names it."""
    if is_known(found):
        return
    made_by = release(connection)
    raise OperatorFault(
        f"the database belongs to another netboot release: its schema {found} was made by"
        f" {f'netboot {made_by}' if made_by else 'a newer release'}, and this is netboot"
        f" {__version__}",
        hint="Install that release or a newer one, or take the upgrade back:"
        " netboot site take-back. Nothing was changed.",
    )


def note_release(connection: Connection) -> None:
    """Store which release brought the schema to its revision."""
    connection.execute(FactRow.__table__.delete().where(FactRow.name == RELEASE))  # type: ignore[attr-defined]
    values = {"name": RELEASE, "value": {"release": __version__}}
    connection.execute(FactRow.__table__.insert().values(values))  # type: ignore[attr-defined]


def release(connection: Connection) -> str:
    """The release that made the schema; empty if it is not known."""
    try:
        if "facts" not in inspect(connection).get_table_names():
            return ""
        value: Any = connection.scalar(select(FactRow.value).where(FactRow.name == RELEASE))
        return str(value["release"])[:40] if value else ""
    except (SQLAlchemyError, TypeError, KeyError):  # a newer release may keep it elsewhere
        return ""


def _config() -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config
