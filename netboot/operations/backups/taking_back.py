"""Take back an upgrade: the database as it was before, under whichever release is installed.

The upgraded database is moved aside, not deleted. Content and journal stay: what the old rows do
not name is cleaned up later, and boots since the upgrade are folded again.
"""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from netboot.errors import InvalidInput, NotFound, OperatorFault
from netboot.operations.backups import own_file
from netboot.operations.backups.target import empty_database, now_in_names
from netboot.progress import Progress, silent
from netboot.site import Site
from netboot.store.backups import upgrade_copies
from netboot.store.backups.archive import DATABASE, BackupFile
from netboot.store.backups.database_copies import fill_database
from netboot.store.database.audit import HEAD_FILE
from netboot.store.database.schema import is_known
from netboot.store.database.site_database import Database


@dataclass(frozen=True, slots=True)
class TakenBack:
    """The upgrade that was taken back. `aside` is where the upgraded database is."""

    file: str
    release: str
    schema: str
    made_at: float
    rows: int
    aside: str


def copies(site: Site) -> list[Path]:
    """The databases from before upgrades, the newest first."""
    return upgrade_copies.saved(site.data / upgrade_copies.FOLDER)


def take_back(site: Site, file: Path | None = None, *, progress: Progress = silent) -> TakenBack:
    """Put the database from before the last upgrade, or of `file`, in place of the current one.

    The site must be stopped. Raises SiteAlreadyRunning, NotFound, InvalidInput, DiskFault; then
    nothing was changed.
    """
    if file is None:
        found = copies(site)
        if not found:
            raise NotFound(
                f"there is no database from before an upgrade in"
                f" {site.data / upgrade_copies.FOLDER}",
                hint="Restore a backup instead: netboot restore FILE.",
            )
        file = found[0]
    with BackupFile(file) as copy:
        _require_usable(copy)
        copy.check(progress)
        lock = site.claim()
        try:
            aside = _carry_out(site, copy)
        finally:
            lock.release()
        head = copy.head
        rows = sum(int(table["rows"]) for table in copy.contents.tables.values())
        return TakenBack(str(file), head.release, head.schema, head.made_at, rows, aside)


def _require_usable(copy: BackupFile) -> None:
    if copy.head.kind != DATABASE:
        raise InvalidInput(
            f"{copy.path} is a backup of a whole site", hint="Use `netboot restore` for it."
        )
    if not is_known(copy.head.schema):
        raise OperatorFault(
            f"{copy.path} has schema {copy.head.schema}, which this release does not know",
            hint="Run this with the newer release. Nothing was changed.",
        )


def _carry_out(site: Site, copy: BackupFile) -> str:
    stamp = now_in_names()
    if site.settings.database_url:
        database = Database(site.database_url)
        aside = f"netboot_taken_back_{stamp.replace('-', '_')}"
        try:
            with database.exclusive() as connection:
                moved = empty_database(connection, aside, force=True)
                fill_database(copy, connection)
        finally:
            database.close()
        _forget_audit_head(site)
        return aside if moved else ""
    part = own_file.part_of(site.data, stamp)
    database = Database(f"sqlite:///{part}")
    try:
        with database.exclusive() as connection:
            fill_database(copy, connection)
    except BaseException:
        database.close()
        own_file.remove_part(part)
        raise
    database.close()
    aside = own_file.put_in_place(site.data, part, f"{own_file.NAME}.taken-back-{stamp}")
    _forget_audit_head(site)
    return str(site.data / aside) if aside else ""


def _forget_audit_head(site: Site) -> None:
    """The newest entry that was noted is not in the old rows: they have their own newest one."""
    with suppress(OSError):
        (site.data / HEAD_FILE).unlink(missing_ok=True)
