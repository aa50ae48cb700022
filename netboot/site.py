"""The site: the parts in its data folder.

data/
├── netboot.toml     settings, where they differ from the defaults
├── site.db          images, drivers, versions, accounts, jobs
├── journal.db       what happened while machines booted
├── blobs/ staging/  the bytes of everything, by digest
├── points/site/     the site's own distribution point
├── before-upgrade/  the database as it was before the last upgrades
├── web/             what the console's processes share: limits, places, measurements
├── secret           signs sessions and report tokens
└── run.lock         held by the one running site
"""

import fcntl
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from netboot.errors import NotPermitted, SiteAlreadyRunning
from netboot.store.content.blobs import BlobStore, sync_folder
from netboot.store.content.disk_faults import disk_fault
from netboot.store.content.point_folder import PointFolder

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from netboot.config import Settings
    from netboot.store.boots.journal import Journal
    from netboot.store.database.changes.touches import Touches
    from netboot.store.database.jobs import JobQueue
    from netboot.store.database.site_database import Database

SECRET_BYTES = 48
UNFINISHED = "restore-unfinished"
"""This file is in the data folder while a restore exchanges the old site for the new one."""


@dataclass(frozen=True)
class Site:
    """A site in its data folder. Each part is opened when it is first used."""

    data: Path

    @staticmethod
    def open(data: Path, *, unfinished: bool = False) -> "Site":
        """The site in `data`, created if necessary. Raises NotPermitted.

        `unfinished` opens one whose restore was interrupted, to do it again.
        """
        try:
            data.mkdir(mode=0o700, parents=True, exist_ok=True)
            if data.stat().st_mode & 0o777 != 0o700:  # a disk may be read-only after a fault
                data.chmod(0o700)
            os.scandir(data).close()  # refused if the folder is somebody else's
        except OSError as fault:
            raise NotPermitted(
                f"the data folder {data} cannot be used: {fault.strerror}",
                hint="Choose another with --data, or correct its owner.",
            ) from fault
        if not unfinished and (data / UNFINISHED).exists():
            raise NotPermitted(
                f"a restore into {data} was interrupted",
                hint="Repeat it with --force. The site from before is in a folder"
                " before-restore-… there.",
            )
        return Site(data.resolve())

    @cached_property
    def settings(self) -> "Settings":
        from netboot.config import load_settings

        return load_settings(self.data)

    @cached_property
    def blobs(self) -> BlobStore:
        return BlobStore(self.data)

    @cached_property
    def point(self) -> PointFolder:
        return PointFolder(self.data / "points" / "site")

    @cached_property
    def database(self) -> "Database":
        """The database, at the newest schema; an older one is copied before it is upgraded."""
        from netboot.store.database.site_database import Database

        database = Database(self.database_url)
        database.migrate(save=self._save_before_upgrade)
        return database

    def _save_before_upgrade(self, connection: "Connection", revision: str) -> None:
        from netboot.store.backups import upgrade_copies  # most starts upgrade nothing

        upgrade_copies.save(self.data / upgrade_copies.FOLDER, connection, revision)

    @property
    def database_url(self) -> str:
        return self.settings.database_url or f"sqlite:///{self.data / 'site.db'}"

    @cached_property
    def journal(self) -> "Journal":
        """What happened while machines booted."""
        from netboot.store.boots.journal import Journal

        return Journal(self.data / "journal.db")

    def news(self) -> "Touches":
        """Waits for commits to the database or the journal, by any process."""
        from netboot.store.database.changes.touches import Touches

        file = self.database.file
        return Touches(file, self.data / "journal.db") if file else Touches()

    @cached_property
    def jobs(self) -> "JobQueue":
        from netboot.store.database.jobs import JobQueue

        return JobQueue(self.database)

    @cached_property
    def web_folder(self) -> Path:
        """What the console's processes share while they run."""
        folder = self.data / "web"
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    @cached_property
    def secret(self) -> str:
        """Signs sessions and report tokens; created once, readable only by its owner.

        Raises NotPermitted if it can be neither read nor created, DiskFault on a full disk.
        """
        path = self.data / "secret"
        try:
            if not path.is_file():
                _make_secret(path)
            secret = path.read_text().strip()
        except (OSError, UnicodeDecodeError) as fault:
            if explained := disk_fault(fault, self.data):
                raise explained from fault
            raise NotPermitted(
                f"{path} cannot be used: {fault}", hint="Correct its owner, or remove it."
            ) from fault
        if len(secret) < SECRET_BYTES:
            raise NotPermitted(
                f"{path} holds no secret (it was cut off or edited)",
                hint="Remove it; a new one is made, and everyone signs in again.",
            )
        return secret

    def clear_parts(self) -> None:
        """Delete files that a process did not finish writing; call it before any process starts."""
        for folder in (self.data, self.point.root, self.point.versions, self.data / "tls"):
            for part in folder.glob("*.part"):
                with suppress(OSError):
                    part.unlink()

    def claim(self) -> "RunLock":
        """Lock the data folder for this process. Raises SiteAlreadyRunning."""
        return RunLock(self.data / "run.lock")


class RunLock:
    """Held while the site runs; the system releases it when the process ends."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open("a+")
        except OSError as fault:
            raise NotPermitted(
                f"{path} cannot be used: {fault.strerror}",
                hint="Choose another data folder with --data, or correct its owner.",
            ) from fault
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.seek(0)
            holder = self._file.read().strip() or "unknown"
            self._file.close()
            raise SiteAlreadyRunning(
                f"a site is already running on {path.parent} (process {holder})",
                hint="Use that one, stop it first, or name another folder with --data.",
            ) from None
        with suppress(OSError):  # on a full disk the lock holds all the same
            self._file.truncate(0)
            self._file.write(str(os.getpid()))
            self._file.flush()

    def release(self) -> None:
        with suppress(OSError):  # what a full disk did not take is written at the end, in vain
            self._file.close()


def _make_secret(path: Path) -> None:
    """Create the secret atomically: several processes start at once, and all must read the same."""
    part = path.with_name(f"secret.{secrets.token_hex(8)}.part")
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(fd, "w") as out:
            out.write(secrets.token_urlsafe(SECRET_BYTES))
            out.flush()
            os.fsync(out.fileno())
        with suppress(FileExistsError):
            os.link(part, path)
        sync_folder(path.parent)
    finally:
        part.unlink()
