"""Backups over the API: the last one, and a new one."""

from netboot.operations.backups import making
from web.api.jobs import Accepted, accepted
from web.api.subject import Order, Subject, Value
from web.guard.access import Role, site

backups = Subject("backups", "Backups of the whole site, into the folder of the settings.")


class LastBackup(Value):
    """The last backup that was made; `missing` counts files that the site did not have intact."""

    file: str
    id: str
    made_at: float
    size: int
    incremental: bool
    missing: int


class BackupState(Value):
    """The folder that is set for backups, or empty, and the last backup that was made."""

    folder: str
    last: LastBackup | None


class BackupOrder(Order):
    """`incremental` leaves out content that the newest backup in the folder has."""

    incremental: bool = True


@backups.verb("GET", "", needs=Role.VIEWER)
def get_last_backup() -> BackupState:
    """Show when the last backup was made and which it is."""
    state = making.backup_state(site())
    return BackupState(
        folder=state.folder, last=LastBackup.of(state.last) if state.last is not None else None
    )


@backups.verb("POST", "", needs=Role.ADMIN, status=202, action="back_up")
def back_up(body: BackupOrder) -> Accepted:
    """Back up the whole site while it runs."""
    return accepted(making.ask_backup(site(), incremental=body.incremental))
