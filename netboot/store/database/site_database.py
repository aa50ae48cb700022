"""The site's database: SQLite in the data folder, or PostgreSQL by URL; moved by Alembic.

Law: one writer at a time, on either system. `writing` takes its turn before it reads, so that
what it found is still true when it commits; reading never waits.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic_core import from_json, to_json
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from netboot.errors import InvalidInput, MissingTool, OperatorFault
from netboot.store.database.change_counters import count_changes
from netboot.store.database.snapshots import Snapshots

MIGRATIONS = Path(__file__).with_name("migrations")
HEAD = "0017"

CACHE_KIB = 32 << 10
"""What SQLite may keep of the file in memory, a connection: a large catalog's ids, mostly."""

CONNECTIONS = 10
"""So many stay open: one that is opened for a request alone begins without a cache."""

_TURN = 0x6E657462
"""The number of PostgreSQL's advisory lock that stands for the writer's turn."""

_WRITES = "netboot_writes"


class Database:
    """Sessions over one engine. `migrate` brings the schema up to date.

    Raises InvalidInput for a URL that cannot be used, MissingTool where its driver is missing.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _engine(url)
        if self.is_sqlite:
            event.listen(self.engine, "connect", _prepare_sqlite)
        event.listen(self.engine, "begin", _begin)
        self._writer = self.engine.execution_options(**{_WRITES: True})
        self._reading = sessionmaker(self._reader(), expire_on_commit=False)
        self._writing = sessionmaker(self._writer, expire_on_commit=False)
        self._snapshots = Snapshots(self._reading)

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file of our own."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let all reading of this thread share one transaction.

        It is replaced when this thread writes: what is read next must contain that.
        """
        self._snapshots.wanted = True
        try:
            yield
        finally:
            self._snapshots.wanted = False
            self._snapshots.retire()

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A transaction for reading. Raises OperatorFault when the database fails."""
        with self._explained():
            if self._snapshots.wanted:
                with self._snapshots.reading() as snapshot:
                    yield snapshot.session
            else:
                with self._reading.begin() as session:
                    yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A transaction that holds the writer's turn: committed at the end, or taken back.

        Raises OperatorFault when the database fails.
        """
        self._snapshots.retire()  # what is read during the writer's turn must be as of now
        with self._explained(), self._writing.begin() as session:
            yield session
        self._snapshots.retire()  # and what is read afterwards must contain what was written

    def stamp(self, *subjects: str) -> tuple[int, ...]:
        """Differs when any of these subjects (see `changes.SUBJECTS`) was changed, by whomever.

        Ask first and read afterwards. Raises OperatorFault when the database fails.
        """
        with self.transaction() as session:
            found = self._snapshots.numbers(session)
        return tuple(found[subject] for subject in subjects)

    def migrate(self) -> None:
        """Bring the schema up to date. Raises OperatorFault when it cannot be."""
        try:
            with self.engine.connect() as connection:
                found = self._revision(connection)
            if found != HEAD:
                self._upgrade()
        except (SQLAlchemyError, sqlite3.Error) as fault:
            raise self._fault(fault, "cannot be opened") from fault

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def _reader(self) -> Engine:
        """What reads: one state a transaction, as SQLite gives it anyway."""
        if self.is_sqlite:
            return self.engine
        return self.engine.execution_options(isolation_level="REPEATABLE READ")

    def _upgrade(self) -> None:
        """All steps in one transaction: a crash leaves the old schema, whole."""
        from alembic import command
        from alembic.config import Config
        from alembic.util import CommandError

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        with self._writer.begin() as connection:
            config.attributes["connection"] = connection
            try:
                command.upgrade(config, "head")
                count_changes(connection)
            except CommandError as fault:
                raise OperatorFault(
                    f"the database belongs to another netboot release: {fault}",
                    hint="Use that release or a newer one. Nothing was changed.",
                ) from fault

    def _revision(self, connection: Connection) -> str | None:
        if not self.engine.dialect.has_table(connection, "alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """A database that fails is the operator's; a statement that is wrong is a bug of ours."""
        try:
            yield
        except DatabaseError as fault:
            if type(fault) not in {DatabaseError, OperationalError}:
                raise
            raise self._fault(fault, "cannot be used") from fault
        except sqlite3.Error as fault:  # from `_prepare_sqlite`: nobody wraps these
            raise self._fault(fault, "cannot be used") from fault

    def _fault(self, fault: Exception, what: str) -> OperatorFault:
        shown = self.engine.url.render_as_string(hide_password=True)
        reason = str(getattr(fault, "orig", None) or fault).strip().partition("\n")[0]
        return OperatorFault(
            f"the database {what}: {reason}",
            hint=f"Check {shown}: that it is running, writable and has free space.",
        )


def _engine(url: str) -> Engine:
    """An engine, not connected yet. Plain `postgresql:` means psycopg, the one we install."""
    try:
        chosen: URL = make_url(url)
        if chosen.drivername in {"postgres", "postgresql"}:
            chosen = chosen.set(drivername="postgresql+psycopg")
        engine = create_engine(
            chosen,
            json_serializer=_json,
            json_deserializer=from_json,
            pool_size=CONNECTIONS,
            max_overflow=4 * CONNECTIONS,  # a page that waits for another server holds one
            pool_use_lifo=True,  # so that few are in use, and their caches are warm
        )
    except ArgumentError as fault:
        raise InvalidInput(
            f"database_url cannot be used: {fault}",
            hint="Example: postgresql://netboot@/netboot?host=/run/postgresql. Or leave it empty.",
        ) from fault
    except ModuleNotFoundError as fault:
        raise MissingTool(
            f"no driver for this database is installed: {fault.name}",
            hint="Install it into .venv: .venv/bin/python -m pip install 'psycopg[binary]'",
        ) from fault
    if engine.dialect.name not in {"sqlite", "postgresql"}:
        raise InvalidInput(
            f"{engine.dialect.name} is not a supported database",
            hint="Use SQLite or PostgreSQL.",
        )
    return engine


def _json(value: object) -> str:
    """The standard library's module takes ten times as long over a driver."""
    return to_json(value).decode()


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # The module would begin transactions by itself, late, and not for CREATE TABLE at all.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "busy_timeout=10000",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"cache_size=-{CACHE_KIB}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    """Begin as the options say: SQLite's read lock cannot be raised while others hold one."""
    writes = connection.get_execution_options().get(_WRITES, False)
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
    elif writes:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_TURN})")
