"""The site's database: SQLite in the data folder, or PostgreSQL by URL; migrated by Alembic.

Law: one writer at a time, on either system. `writing` takes the writer's turn before it reads, so
that nothing changes until it commits; reading never waits.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic_core import from_json, to_json
from sqlalchemy import URL, Connection, Engine, create_engine, event, func, make_url, select
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DBAPIError,
    InterfaceError,
    InternalError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.orm import Session, sessionmaker

from netboot.errors import DatabaseFault, InvalidInput, MissingTool
from netboot.store.database import schema
from netboot.store.database.changes.change_counters import count_changes
from netboot.store.database.changes.snapshots import Snapshots
from netboot.store.database.changes.touches import touch
from netboot.store.database.driver_hint import install_command
from netboot.store.database.text_search import index_texts

MIGRATIONS = schema.MIGRATIONS
HEAD = "0022"

CACHE_KIB = 32 << 10
"""SQLite's cache for each connection, mostly for the ids of a large catalog."""

CONNECTIONS = 10
"""This many stay open: a connection that is opened for one request has an empty cache."""

_TURN = 0x6E657462
"""The key of PostgreSQL's advisory lock for the writer's turn."""

_WRITES = "netboot_writes"


class Database:
    """Sessions over one engine. `migrate` updates the schema.

    Raises InvalidInput for an invalid URL, MissingTool if the database's driver is missing.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _engine(url)
        self.file = Path(self.engine.url.database or "") if self.is_sqlite else None
        if self.is_sqlite:
            event.listen(self.engine, "connect", _prepare_sqlite)
        event.listen(self.engine, "begin", _begin)
        self._writer = self.engine.execution_options(**{_WRITES: True})
        self._reading = sessionmaker(self._reader(), expire_on_commit=False)
        self._writing = sessionmaker(self._writer, expire_on_commit=False)
        self._snapshots = Snapshots(self._reading)

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Use one transaction for all reading of this thread, until the thread writes."""
        self._snapshots.wanted = True
        try:
            yield
        finally:
            self._snapshots.wanted = False
            self._snapshots.retire()

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A transaction for reading. Raises DatabaseFault if the database fails."""
        with self._explained():
            if self._snapshots.wanted:
                with self._snapshots.reading() as snapshot:
                    yield snapshot.session
            else:
                with self._reading.begin() as session:
                    yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A transaction with the writer's turn: committed at the end, or rolled back.

        Raises DatabaseFault if the database fails.
        """
        self._snapshots.retire()  # what is read during the writer's turn must be current
        with self._explained(), self._writing.begin() as session:
            yield session
        self._snapshots.retire()  # and what is read afterwards must contain what was written
        if self.file is not None:
            touch(self.file)

    def stamp(self, *subjects: str) -> tuple[int, ...]:
        """Changes when any process changes one of these subjects (change_counters.SUBJECTS).

        Get it first and read afterwards. Raises DatabaseFault if the database fails.
        """
        with self.transaction() as session:
            found = self.changes(session)
        return tuple(found[subject] for subject in subjects)

    def changes(self, session: Session) -> dict[str, int]:
        """How often each subject was changed; read once in a snapshot."""
        return self._snapshots.numbers(session)

    def migrate(self, *, save: Callable[[Connection, str], None] | None = None) -> None:
        """Update the schema. Raises DatabaseFault, or OperatorFault for another release's.

        `save` keeps the rows of an older schema, whose revision it is given. What it raises leaves
        the database as it was.
        """
        with self._opened(), self.engine.connect() as connection:
            found = schema.revision(connection)
        if found != HEAD:
            with self.exclusive() as connection:
                self._upgrade(connection, save)

    @contextmanager
    def exclusive(self) -> Iterator[Connection]:
        """A transaction with the writer's turn, on a database of any schema.

        Raises DatabaseFault.
        """
        with self._opened(), self._writer.begin() as connection:
            yield connection

    def turn_is_taken(self) -> bool:
        """Whether a process has the writer's turn on this PostgreSQL database at this moment."""
        with self.frozen() as connection:
            free = connection.scalar(select(func.pg_try_advisory_xact_lock(_TURN)))
        return not free

    @contextmanager
    def frozen(self) -> Iterator[Connection]:
        """A connection that reads one state, of any schema, whatever is written meanwhile.

        Raises DatabaseFault.
        """
        with self._opened(), self._reader().begin() as connection:
            yield connection

    def finish_schema(self, connection: Connection, *, note: bool = True) -> None:
        """Bring a schema that was filled with rows to the newest one, in the same transaction.

        Without `note` the release that made the schema stays as it is in the rows.
        """
        schema.migrate(connection)
        count_changes(connection)
        index_texts(connection)
        if note:
            schema.note_release(connection)

    def close(self) -> None:
        self.engine.dispose()

    def _reader(self) -> Engine:
        # A transaction must see one state. In SQLite it does; in PostgreSQL's default isolation
        # level, READ COMMITTED, each statement sees a new one.
        if self.is_sqlite:
            return self.engine
        return self.engine.execution_options(isolation_level="REPEATABLE READ")

    def _upgrade(
        self, connection: Connection, save: Callable[[Connection, str], None] | None
    ) -> None:
        """Run all migrations in one transaction: a crash leaves the old schema."""
        found = schema.revision(connection)
        if found == HEAD:
            return  # by another process
        if found is not None:
            schema.require_known(connection, found)
            if save is not None:
                save(connection, found)
        self.finish_schema(connection)

    @contextmanager
    def _opened(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error) as fault:
            raise self._fault(fault, "cannot be opened") from fault

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """A failing database is an operator's fault, a wrong statement is a bug."""
        try:
            yield
        except (DBAPIError, sqlite3.Error, NoConnection) as fault:
            if not _is_outage(fault):
                raise
            raise self._fault(fault, "cannot be used") from fault

    def _fault(self, fault: Exception, what: str) -> DatabaseFault:
        shown = self.engine.url.render_as_string(hide_password=True)
        reason = str(getattr(fault, "orig", None) or fault).strip().partition("\n")[0]
        return DatabaseFault(
            f"the database {what}: {reason}",
            hint=f"Check {shown}: that it is running, writable and has free space.",
        )


def _is_outage(fault: Exception) -> bool:
    """Whether the database fails, not the statement."""
    if isinstance(fault, DBAPIError):
        # psycopg's errors for a connection that is gone are of several kinds.
        outages = (OperationalError, InterfaceError, InternalError)
        return fault.connection_invalidated or (
            isinstance(fault, outages) or type(fault) is DatabaseError
        )
    return True  # of `_prepare_sqlite`, which SQLAlchemy does not wrap, or of the pool


def _engine(url: str) -> Engine:
    """An engine, not connected yet."""
    try:
        chosen: URL = make_url(url)
        # SQLAlchemy's default for plain `postgresql:` is psycopg2, but netboot has psycopg 3.
        if chosen.drivername in {"postgres", "postgresql"}:
            chosen = chosen.set(drivername="postgresql+psycopg")
        engine = create_engine(
            chosen,
            json_serializer=_json,
            json_deserializer=from_json,
            pool_size=CONNECTIONS,
            max_overflow=4 * CONNECTIONS,  # a page that waits for another server keeps one
            pool_use_lifo=True,  # few are in use, with warm caches
            # A server that was restarted has closed all of them; a file never does.
            pool_pre_ping=chosen.get_backend_name() != "sqlite",
            hide_parameters=True,  # they may be secrets, and a bug's message goes into the log
        )
    except ArgumentError as fault:
        raise InvalidInput(
            f"database_url cannot be used: {fault}",
            hint="Example: postgresql://netboot@/netboot?host=/run/postgresql. Or leave it empty.",
        ) from fault
    except ModuleNotFoundError as fault:
        raise MissingTool(
            f"no driver for this database is installed: {fault.name}",
            hint=f"Install it, then start again: {install_command('psycopg[binary]')}",
        ) from fault
    if engine.dialect.name not in {"sqlite", "postgresql"}:
        raise InvalidInput(
            f"{engine.dialect.name} is not a supported database",
            hint="Use SQLite or PostgreSQL.",
        )
    return engine


def _json(value: object) -> str:
    """The standard library's json takes ten times as long for a driver."""
    return to_json(value).decode()


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # Otherwise the sqlite3 module begins transactions itself: not before the first write, and not
    # for SELECT or CREATE TABLE (docs.python.org/3/library/sqlite3.html, transaction control).
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "busy_timeout=10000",
        "journal_mode=WAL",  # readers do not wait for the writer
        "synchronous=FULL",  # in WAL mode, NORMAL can lose the last commits at a power loss
        "foreign_keys=ON",  # off by default, for each connection
        f"cache_size=-{CACHE_KIB}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    """Begin a transaction, for writers with the writer's turn."""
    writes = connection.get_execution_options().get(_WRITES, False)
    if connection.dialect.name == "sqlite":
        # IMMEDIATE takes the write lock now and waits for it (busy_timeout). A reader that wants to
        # write later fails at once if another connection wrote meanwhile (SQLITE_BUSY_SNAPSHOT).
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
    elif writes:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_TURN})")
