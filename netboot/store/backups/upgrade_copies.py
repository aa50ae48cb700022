"""The database as it was before an upgrade, in a folder of the site.

The newest few are kept. They are backup files without blobs: `netboot site take-back` reads them.
"""

from pathlib import Path

from sqlalchemy import Connection

from netboot.errors import DiskFault
from netboot.store.backups.archive import DATABASE, Contents, new_backup
from netboot.store.backups.database_copies import add_tables, new_head, stamped
from netboot.store.content.disk_faults import explain_disk_fault
from netboot.store.database import schema

FOLDER = "before-upgrade"
KEPT = 3


def save(folder: Path, connection: Connection, revision: str) -> None:
    """Keep the database as this connection sees it. Raises DiskFault: then do not upgrade."""
    head = new_head(DATABASE, revision, schema.release(connection))
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as fault:
        raise explain_disk_fault(fault, folder) from fault
    try:
        with new_backup(folder / f"{stamped(f'database-{revision}')}.tar", head) as out:
            out.finish(Contents(add_tables(out, connection)))
    except DiskFault as fault:
        raise DiskFault(
            f"the database is not upgraded, because it cannot be copied first: {fault}",
            hint="Free some disk space, then start again. Nothing was changed.",
        ) from fault
    for old in saved(folder)[KEPT:]:
        old.unlink(missing_ok=True)


def saved(folder: Path) -> list[Path]:
    """The copies, the newest first."""
    return sorted(folder.glob("database-*.tar"), key=lambda one: one.stat().st_mtime, reverse=True)
