"""The site's database: SQLite in the data folder, or PostgreSQL by URL; moved by Alembic."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from netboot.errors import OperatorFault

MIGRATIONS = Path(__file__).with_name("migrations")
HEAD = "0001"


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "busy_timeout=10000",
        "foreign_keys=ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


class Database:
    """Sessions over one engine; the schema is brought up to date when it is opened."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine: Engine = create_engine(url)
        if self.engine.dialect.name == "sqlite":
            event.listen(self.engine, "connect", _prepare_sqlite)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """One transaction: committed at the end, rolled back on any error."""
        with self._sessions.begin() as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A transaction that holds the write lock from its start.

        SQLite would otherwise upgrade a read lock later, and two that both read first could
        not both go on (SQLITE_BUSY without waiting).
        """
        with self._sessions() as session:
            try:
                if self.engine.dialect.name == "sqlite":
                    session.execute(text("BEGIN IMMEDIATE"))
                yield session
                session.commit()
            except BaseException:
                session.rollback()
                raise

    def migrate(self) -> None:
        """Bring the schema up to date. Raises OperatorFault when it cannot be."""
        try:
            if self._at_head():
                return
            from alembic import command
            from alembic.config import Config

            config = Config()
            config.set_main_option("script_location", str(MIGRATIONS))
            config.attributes["engine"] = self.engine
            command.upgrade(config, "head")
        except SQLAlchemyError as fault:
            raise OperatorFault(
                f"the database cannot be opened: {str(fault).splitlines()[0]}",
                hint=f"Check {self.engine.url.render_as_string(hide_password=True)}.",
            ) from fault

    def _at_head(self) -> bool:
        with self.engine.connect() as connection:
            if not self.engine.dialect.has_table(connection, "alembic_version"):
                return False
            found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return found == HEAD

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()
