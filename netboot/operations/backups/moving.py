"""Move a site's rows to another database: from SQLite to PostgreSQL, or back.

Law: the old database is only read. Rows are copied from one state into an empty database, counted
and compared there in the same transaction, and only then do the settings name the new one.
"""

from contextlib import ExitStack
from dataclasses import dataclass

from netboot.errors import AlreadyExists, InUse, InvalidInput, NotPermitted
from netboot.operations import settings
from netboot.operations.backups import own_file
from netboot.operations.backups.own_file import SQLITE
from netboot.operations.backups.target import empty_database, now_in_names, record
from netboot.progress import Progress, silent
from netboot.site import Site
from netboot.store.backups import row_copies
from netboot.store.database import schema
from netboot.store.database.site_database import HEAD, Database

SETTING = "database_url"


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
        stamp = now_in_names()
        source = site.database  # of the newest schema from here on
        name = "" if url == SQLITE else url
        part = own_file.part_of(site.data, stamp)
        new = Database(name or f"sqlite:///{part}")
        try:
            _require_another(source, new, is_own_file=not name)
            aside = f"netboot_before_move_{stamp.replace('-', '_')}"
            tables, rows, has_moved = _copied(source, new, aside, progress, force=force)
        except BaseException:
            new.close()
            own_file.remove_part(part)
            raise
        new.close()
        if name:
            kept = aside if has_moved else ""
        else:
            kept = own_file.put_in_place(site.data, part, f"{own_file.NAME}.before-move-{stamp}")
        variable = _use(site, name)
        source.close()
    finally:
        lock.release()
    moved = Moved(_shown(source), _shown(new) if name else own_file.NAME, tables, rows, kept,
                  variable)  # fmt: skip
    if not variable:  # else the site still uses the old database
        target = "PostgreSQL" if name else "SQLite"
        record(site.data, actor, "site.move", {"to": target, "rows": rows})
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
            row_copies.fill(connection, targets[table.name], row_copies.rows_of(old, table), total)
            count += total.rows
        new.finish_schema(connection, note=False)
    return len(before), count, has_moved


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


def _shown(database: Database) -> str:
    if database.file is not None:
        return str(database.file)
    return database.engine.url.render_as_string(hide_password=True)
