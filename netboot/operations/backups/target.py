"""Where rows and content go: what must be true before, and what is left there after."""

import shutil
import time
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection

from netboot.errors import DiskFault, InUse
from netboot.operations.accounts import audit
from netboot.operations.accounts.webhooks import PENDING
from netboot.site import Site
from netboot.store.backups.row_copies import REVISION
from netboot.store.database.account_records import DeliveryRow, RepeatRow, SessionRow
from netboot.store.database.job_records import JobRow
from netboot.store.database.jobs import FAILED, QUEUED, RUNNING

FUNCTION = "netboot_changed"


def now_in_names() -> str:
    """The time in UTC, as it is in the names of what is set aside."""
    return time.strftime("%Y%m%d-%H%M%S", time.gmtime())


def require_space(folder: Path, size: int, advice: str) -> None:
    """Raises DiskFault if the disk of `folder` has less than `size` bytes free."""
    free = shutil.disk_usage(folder).free
    if free < size:
        raise DiskFault(
            f"the disk of {folder} is full: {size >> 20} MiB are needed, {free >> 20} MiB are free",
            hint=f"{advice} Nothing was changed.",
        )


def record(data: Path, actor: str, action: str, details: dict[str, object]) -> None:
    """Write who did this to the audit log of the database that the site has now."""
    site = Site.open(data)
    try:
        audit.record(
            site,
            actor=actor or "unknown",
            via=audit.VIA_CLI,
            action=action,
            subject="site",
            details=details,
        )
    finally:
        site.database.close()


def empty_database(connection: Connection, aside: str, *, force: bool) -> bool:
    """See to it that the database has no tables; whether there were some, which are moved aside.

    PostgreSQL moves them to the schema `aside` in the same transaction. Raises InUse.
    """
    names = sa.inspect(connection).get_table_names()
    if not names:
        return False
    shown = connection.engine.url.render_as_string(hide_password=True)
    if not force or connection.dialect.name != "postgresql":
        raise InUse(
            f"the database {shown} is not empty: it has {len(names)} tables",
            hint="Name an empty database. Or use --force: its tables are moved to a schema of"
            " their own, and not deleted.",
        )
    connection.exec_driver_sql(f'CREATE SCHEMA "{aside}"')
    for name in names:
        connection.exec_driver_sql(f'ALTER TABLE "{name}" SET SCHEMA "{aside}"')
    found = connection.scalar(sa.text("SELECT to_regproc(:name)"), {"name": FUNCTION})
    if REVISION in names and found:
        connection.exec_driver_sql(f'ALTER FUNCTION "{FUNCTION}"() SET SCHEMA "{aside}"')
    return True


def forget_moment(connection: Connection) -> None:
    """Delete what was true only at the moment of the backup, in a database of the newest schema.

    Browsers sign in again: a session may have been ended since. Jobs that waited or ran do not
    start by themselves, and what waited to be sent has been sent since.
    """
    connection.execute(sa.delete(SessionRow))
    connection.execute(sa.delete(RepeatRow))
    connection.execute(sa.delete(DeliveryRow).where(DeliveryRow.state == PENDING))
    ended = {
        "state": FAILED,
        "message": "The site was restored from a backup that was made while this job waited.",
        "finished_at": time.time(),
        "dismissed": True,
        "lease_until": 0.0,
    }
    connection.execute(sa.update(JobRow).where(JobRow.state.in_((QUEUED, RUNNING))).values(ended))
