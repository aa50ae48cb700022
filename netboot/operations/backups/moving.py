"""Move a site's rows to another database: from SQLite to PostgreSQL, or back.

Law: the old database is only read. Rows are copied from one state into an empty database, counted
and compared there in the same transaction, and only then do the settings name the new one.
"""

import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from netboot.errors import AlreadyExists, InUse, InvalidInput, NotPermitted
from netboot.operations import settings
from netboot.operations.accounts import audit
from netboot.operations.backups.target import empty_database
from netboot.progress import Progress, silent
from netboot.site import Site
from netboot.store.backups import row_copies
from netboot.store.database import schema
from netboot.store.database.site_database import HEAD, Database

SQLITE = "sqlite"
SETTING = "database_url"
FILES = ("site.db", "site.db-wal", "site.db-shm")


@dataclass(frozen=True, slots=True)
class Moved:
    """What was moved. `old` is the database from before, which is as it was.

    `set_aside` is an older database that was in the place of the new one. `variable` is the
    environment variable that must be changed by hand, if one names the database.
    """

    old: str
    new: str
    tables: int
    rows: int
    set_aside: str
    variable: str


def move(
    site: Site, url: str, *, force: bool = False, actor: str = "", progress: Progress = silent
) -> Moved:
    """Copy all rows to the database `url` (`sqlite`: in the data folder), and use it from then on.

    The site must be stopped. With `force`, tables in the new database are moved to a schema of
    their own. Raises SiteAlreadyRunning, InUse, InvalidInput, DatabaseFault; then nothing was
    changed.
    """
    lock = site.claim()
    try:
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        source = site.database  # of the newest schema from here on
        name = "" if url == SQLITE else url
        new = Database(name or f"sqlite:///{site.data / f'site.db.{stamp}.part'}")
        try:
            _require_another(source, new, is_own_file=not name)
            aside = f"netboot_before_move_{stamp.replace('-', '_')}"
            tables, rows, has_moved = _copied(source, new, aside, progress, force=force)
        except BaseException:
            new.close()
            _remove_part(new)
            raise
        new.close()
        kept = _put_in_place(site, new, stamp) if not name else aside if has_moved else ""
        variable = _use(site, name)
        source.close()
    finally:
        lock.release()
    moved = Moved(_shown(source), "site.db" if not name else _shown(new), tables, rows, kept,
                  variable)  # fmt: skip
    _record(site, name, moved, actor)
    return moved


def _require_another(source: Database, new: Database, *, is_own_file: bool) -> None:
    if (is_own_file and source.is_sqlite) or source.engine.url == new.engine.url:
        raise AlreadyExists("the site uses this database already")
    if new.is_sqlite and not is_own_file:
        raise InvalidInput(
            "SQLite is used in the data folder only",
            hint="Write: netboot site move sqlite",
        )


def _copied(
    source: Database, new: Database, aside: str, progress: Progress, *, force: bool
) -> tuple[int, int, bool]:
    """Copy and compare; the numbers of tables and rows, and whether tables were moved aside."""
    with ExitStack() as stack:
        # The writer's turn, so that no other process writes what would be lost.
        stack.enter_context(source.exclusive())
        if not new.is_sqlite and new.turn_is_taken():  # it may be the same under another name
            raise InUse(
                f"the database {_shown(new)} is in use",
                hint="Name a database that no site uses.",
            )
        old = stack.enter_context(source.frozen())
        connection = stack.enter_context(new.exclusive())
        has_moved = empty_database(connection, aside, force=force)
        schema.migrate(connection, HEAD)
        before, after = row_copies.tables_of(old), row_copies.tables_of(connection)
        targets = {table.name: table for table in after}
        row_copies.clear(connection, after)
        count = 0
        for place, table in enumerate(before):
            progress(place / len(before), table.name)
            total = row_copies.sum_of(old, table)
            columns = [row_copies.as_text(column) for column in table.columns]
            rows = old.execute(sa.select(*columns).execution_options(yield_per=1000))
            row_copies.fill(connection, targets[table.name], map(list, rows), total)
            count += total.rows
        new.finish_schema(connection, note=False)
    return len(before), count, has_moved


def _put_in_place(site: Site, new: Database, stamp: str) -> str:
    """Give the new SQLite file its name; one that a site left here before is kept."""
    assert new.file is not None
    kept = ""
    for name in FILES:
        if (site.data / name).exists():
            kept = kept or f"site.db.before-move-{stamp}"
            (site.data / name).rename(site.data / name.replace("site.db", kept))
    new.file.rename(site.data / "site.db")
    return kept


def _remove_part(new: Database) -> None:
    if new.file is not None and new.file.name.endswith(".part"):
        for end in ("", "-wal", "-shm"):
            Path(f"{new.file}{end}").unlink(missing_ok=True)


def _use(site: Site, url: str) -> str:
    """Name the database in the settings; or the variable that does, and must be changed by hand."""
    found = next(one for one in settings.read_settings(site).settings if one.name == SETTING)
    if found.origin == settings.VARIABLE:
        return found.variable
    try:
        settings.change_settings(site, {SETTING: url})
    except NotPermitted as fault:
        raise NotPermitted(
            f"all rows are copied, but the settings cannot be changed: {fault}",
            hint=f"Set {SETTING} by hand. Until then the site uses the old database.",
        ) from fault
    return ""


def _record(site: Site, url: str, moved: Moved, actor: str) -> None:
    """In the new database, which the site uses from now on."""
    if moved.variable:
        return
    opened = Site.open(site.data)
    try:
        audit.record(
            opened,
            actor=actor or "unknown",
            via=audit.VIA_CLI,
            action="site.move",
            subject="site",
            details={"to": "PostgreSQL" if url else "SQLite", "rows": moved.rows},
        )
    finally:
        opened.database.close()


def _shown(database: Database) -> str:
    if database.file is not None:
        return str(database.file)
    return database.engine.url.render_as_string(hide_password=True)
