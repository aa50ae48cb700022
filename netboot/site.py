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
├── run.lock         held by the one running site, or by its services together
└── worker.lock …    each held by the one service of its kind
"""

import fcntl
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING

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
SERVICES = ("boot", "http", "web", "projector", "worker", "lab")
"""The kinds of processes that serve a site."""

MARKS = ("site.db", "netboot.toml", "secret")
"""Any of these marks a folder as a site's; with PostgreSQL there is no site.db."""

UNFINISHED = "restore-unfinished"
"""This file is in the data folder while a restore exchanges the old site for the new one."""


def holds_site(data: Path) -> bool:
    """Whether a site is in this folder. Raises PermissionError."""
    return any((data / name).exists() for name in MARKS)


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

    @property
    def meeting_folder(self) -> Path:
        """Where the boot services of one network have their socket."""
        return self.data

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

    def claim_part(self, kind: str, *, of_a_run: bool) -> tuple["RunLock", ...]:
        """Lock the data folder for this process as its one service of a kind (see SERVICES).

        A part of `netboot run` relies on the lock of that; other services of one site share it.
        Raises SiteAlreadyRunning, which names the process that runs.
        """
        if of_a_run:
            return (RunLock(self.data / f"{kind}.lock", kind),)
        shared = RunLock(self.data / "run.lock", shared=True)
        try:
            return (RunLock(self.data / f"{kind}.lock", kind), shared)
        except BaseException:
            shared.release()
            raise


LAB_FOLDER = "lab"
"""Where the lab keeps the logs and pictures of its machines, in the data folder."""


class LabSite(Site):
    """The same site, for boot services in a lab next to those that serve its network.

    They give the same versions. Their boot programs are made for another address, and nothing that
    they write says what the site itself serves.
    """

    @cached_property
    def settings(self) -> "Settings":
        """Those of the site, without its networks: the lab has one of its own."""
        from netboot.config import load_settings

        without: dict[str, object] = {"interface": "", "address": "", "networks": [], "relays": []}
        return load_settings(self.data).model_copy(update=without)

    @cached_property
    def point(self) -> PointFolder:
        programs = self.data / LAB_FOLDER / "programs.json"
        return PointFolder(self.data / "points" / "site", programs=programs)

    @property
    def meeting_folder(self) -> Path:
        return self.data / LAB_FOLDER

    @cached_property
    def journal(self) -> "Journal":
        from netboot.boot.told.events import DhcpStarted, NetworksChanged, RequestsCounted
        from netboot.store.boots.journal import Journal

        of_the_site = (DhcpStarted, NetworksChanged, RequestsCounted)
        return Journal(self.data / "journal.db", without=of_the_site)


class RunLock:
    """Held while the site runs; the system releases it when the process ends."""

    def __init__(self, path: Path, kind: str = "", *, shared: bool = False) -> None:
        """`kind` is the service whose lock it is. `shared` locks are held by several services."""
        try:
            self._file = path.open("a+")
        except OSError as fault:
            raise NotPermitted(
                f"{path} cannot be used: {fault.strerror}",
                hint="Choose another data folder with --data, or correct its owner.",
            ) from fault
        how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(self._file, how | fcntl.LOCK_NB)
        except BlockingIOError:
            alone = bool(kind) or shared or not _is_shared(self._file)
            holders = [] if alone else _services(path.parent)
            self._file.close()
            what = f"the service `netboot {kind}`" if kind else "a site"
            raise SiteAlreadyRunning(
                f"{what} is already running on {path.parent}"
                f" ({', '.join(holders) or _holder(path)})",
                hint="Use that one, stop it first, or name another folder with --data.",
            ) from None
        # A forked child must not keep the lock of a process that has ended.
        os.register_at_fork(after_in_child=self._file.close)
        if not shared:
            with suppress(OSError):  # on a full disk the lock holds all the same
                self._file.truncate(0)
                self._file.write(str(os.getpid()))
                self._file.flush()

    def release(self) -> None:
        with suppress(OSError):  # what a full disk did not take is written at the end, in vain
            self._file.close()


def _is_shared(file: IO[str]) -> bool:
    """Whether services share this lock, which somebody holds."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(path: Path) -> str:
    """The process that holds a lock, as it wrote itself down."""
    with suppress(OSError, UnicodeDecodeError):
        return f"process {path.read_text().strip() or 'unknown'}"
    return "process unknown"


def _services(folder: Path) -> list[str]:
    """The services that run on a data folder, and their processes."""
    found = []
    for kind in SERVICES:
        path = folder / f"{kind}.lock"
        with suppress(OSError), path.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                found.append(f"`netboot {kind}`, {_holder(path)}")
    return found


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
