"""Back up a running site: what it takes to have it again on another machine.

Law: rows first, then the content that they name, then the journal. So all that the rows name is in
the backup, and the journal has at least the entries that the rows were made of.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from netboot.config import FILE_NAME, SYSTEM_COPY, system_file
from netboot.errors import DatabaseFault, DiskFault, InvalidInput, NotFound, NotPermitted
from netboot.operations import jobs
from netboot.operations import remembered as facts
from netboot.operations.backups.finding import newest_in, open_set
from netboot.operations.backups.target import require_space
from netboot.operations.jobs import JobKind
from netboot.operations.points import cleanup
from netboot.progress import Progress, silent
from netboot.site import Site
from netboot.store.backups import journal_copies
from netboot.store.backups.archive import (
    SITE,
    BackupWriter,
    Base,
    Contents,
    new_backup,
    packed,
)
from netboot.store.backups.database_copies import add_tables, new_head, stamped
from netboot.store.content.blobs import BlobStore
from netboot.store.content.folder_lock import locked
from netboot.store.database.site_database import HEAD

LAST = "last_backup"
RENEWED_EVERY = 1200.0
"""Seconds: the clean-up spares blobs that were renewed within the last hour."""

STORES = ("site", "point")


@dataclass(frozen=True, slots=True)
class MadeBackup:
    """A backup that was made: `blobs` are in the file, `elsewhere` in earlier backups.

    `missing` are digests that the database names, but the site does not have intact.
    """

    file: str
    id: str
    made_at: float
    size: int
    rows: int
    entries: int
    blobs: int
    elsewhere: int
    bases: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def is_incremental(self) -> bool:
        return bool(self.bases)


@dataclass(frozen=True, slots=True)
class LastBackup:
    """The last backup that was made: `made_at` in epoch seconds, `size` in bytes."""

    file: str
    id: str
    made_at: float
    size: int
    incremental: bool
    missing: int


@dataclass(frozen=True, slots=True)
class BackupState:
    """Where backups from the page go, and the last backup."""

    folder: str
    last: LastBackup | None


def ask_backup(site: Site, *, incremental: bool = True) -> jobs.JobView:
    """Queue a backup into the folder of the settings. Raises InvalidInput if there is none."""
    folder = site.settings.backup_folder
    if folder is None:
        raise InvalidInput(
            "no folder for backups is set",
            hint="Set `backup_folder` in the settings, then restart the site.",
        )
    _require_outside(site, folder)
    arguments = {"folder": str(folder), "incremental": incremental}
    return jobs.submit(site, JobKind.BACK_UP, arguments, title="Backup")


def backup_state(site: Site) -> BackupState:
    """The folder that is set for backups, and the last one that was made, wherever it is."""
    found = facts.recall(site, LAST)
    folder = site.settings.backup_folder
    return BackupState(str(folder or ""), LastBackup(**found) if found else None)


def make_backup(
    site: Site,
    target: Path,
    *,
    since: Path | None = None,
    incremental: bool = False,
    progress: Progress = silent,
) -> MadeBackup:
    """Write a backup to the file `target`, or to a new file in the folder `target`.

    Blobs that the backup `since` has are left out; `incremental` finds the newest one in the
    folder. Raises InvalidInput, AlreadyExists, NotPermitted, DiskFault; then nothing is left.
    """
    target = target.absolute()
    folder = target if target.is_dir() else target.parent
    _require_outside(site, folder)
    if not folder.is_dir():
        raise NotFound(f"there is no folder {folder}", hint="Create it, or name another file.")
    if incremental and since is None:
        since = newest_in(folder)
    earlier = _read_earlier(since) if since is not None else _Earlier()
    file = target / f"{stamped('netboot')}.tar" if target.is_dir() else target
    head = new_head(SITE, HEAD)
    with new_backup(file, head) as out:
        contents = _write(site, out, earlier, progress, folder)
        out.finish(contents)
    made = MadeBackup(
        file=str(file),
        id=head.id,
        made_at=head.made_at,
        size=file.stat().st_size,
        rows=sum(int(table["rows"]) for table in contents.tables.values()),
        entries=contents.journal["rows"],
        blobs=len(_needed(contents)) - len(contents.elsewhere) - len(contents.missing),
        elsewhere=len(contents.elsewhere),
        bases=tuple(base.name for base in contents.bases),
        missing=contents.missing,
    )
    with suppress(DatabaseFault):  # a full disk or a locked database: the backup is made
        last = LastBackup(
            made.file, made.id, made.made_at, made.size, made.is_incremental, len(made.missing)
        )
        facts.remember(site, LAST, asdict(last))
    return made


@dataclass(frozen=True, slots=True)
class _Earlier:
    """What earlier backups have: the id of the backup for each digest, and these backups."""

    holders: dict[str, str] = field(default_factory=dict)
    bases: tuple[Base, ...] = ()


def _read_earlier(path: Path) -> _Earlier:
    """Raises InvalidInput if it is no backup, or cut off; NotFound if its own base is missing."""
    with open_set(path) as together:
        found = together.own
        if found.head.kind != SITE:
            raise InvalidInput(
                f"{path} holds only a database", hint="Name a backup that `netboot backup` made."
            )
        own = dict.fromkeys(found.blobs(), found.head.id)
        base = Base(found.head.id, path.name, found.head.made_at)
        return _Earlier({**found.contents.elsewhere, **own}, (base, *found.contents.bases))


def _write(
    site: Site, out: BackupWriter, earlier: _Earlier, progress: Progress, folder: Path
) -> Contents:
    progress(0.0, "database")
    with site.database.frozen() as connection:
        tables = add_tables(out, connection)
        named = set(cleanup.named_digests(connection))
    progress(0.1, "settings and pointer")
    files, served = _served_files(site)
    for name, data in files.items():
        out.add(f"files/{name}", data)
    stores = {
        "site": sorted(digest for digest in named if site.blobs.holds(digest)),
        "point": sorted(served),
    }
    lacking = {digest for digest in named | served if not _paths(site, digest)}
    known = earlier.holders
    needed = sorted({*stores["site"], *served} - lacking)
    elsewhere = {digest: known[digest] for digest in needed if digest in known}
    new = [digest for digest in needed if digest not in known]
    damaged = _add_blobs(site, out, new, progress, folder)
    progress(0.95, "journal")
    journal: dict[str, int] = {}
    for number, part in enumerate(journal_copies.parts_of(site.data / "journal.db", journal)):
        out.add(f"journal/{number:06}.jsonl.gz", packed(part))
    used = set(elsewhere.values())
    bases = tuple(base for base in earlier.bases if base.id in used)
    missing = tuple(sorted({*damaged, *(lacking & served)}))
    return Contents(tables, journal, stores, elsewhere, bases, missing)


def _needed(contents: Contents) -> set[str]:
    return {digest for digests in contents.stores.values() for digest in digests}


def _add_blobs(
    site: Site, out: BackupWriter, digests: list[str], progress: Progress, folder: Path
) -> list[str]:
    """Add these blobs; returns those that are damaged wherever they are."""
    sizes = {digest: _size(site, digest) for digest in digests}
    whole = sum(sizes.values())
    require_space(folder, whole, "Free some disk space, or name another folder.")
    done, renewed, damaged = 0, 0.0, []

    def pace(size: int) -> None:
        nonlocal done
        done += size
        progress(0.1 + 0.85 * min(1.0, done / max(1, whole)), "content")

    for place, digest in enumerate(digests):
        if not renewed or time.monotonic() - renewed > RENEWED_EVERY:
            _renew(site, digests[place:])
            renewed = time.monotonic()
        if not any(out.add_blob(path, digest, pace) for path in _paths(site, digest)):
            damaged.append(digest)
    return damaged


def _renew(site: Site, digests: list[str]) -> None:
    """Keep the clean-up from deleting what is still to be copied."""
    for digest in digests:
        for store in (site.blobs, site.point.blobs):
            with suppress(OSError, DiskFault):  # a disk that is read-only loses nothing either
                store.keep(digest)


def _paths(site: Site, digest: str) -> list[Path]:
    stores: tuple[BlobStore, ...] = (site.blobs, site.point.blobs)
    return [store.path(digest) for store in stores if store.holds(digest)]


def _size(site: Site, digest: str) -> int:
    for path in _paths(site, digest):
        with suppress(OSError):
            return path.stat().st_size
    return 0


def _served_files(site: Site) -> tuple[dict[str, bytes], set[str]]:
    """The site's small files by name, and the digests that its distribution point needs."""
    with _readable():
        site.secret  # noqa: B018  made if there is none yet
        found = [site.data / FILE_NAME, site.data / "secret", *(site.data / "tls").glob("*.pem")]
        with locked(site.point.root / ".lock"):
            found += [*site.point.root.glob("*.json"), *site.point.versions.glob("*.json")]
            files = {
                path.relative_to(site.data).as_posix(): path.read_bytes()
                for path in sorted(found)
                if path.is_file()
            }
            served = {digest for _store, _what, digest in cleanup.served(site)}
        system = system_file()
        if system is not None:
            files[SYSTEM_COPY] = system.read_bytes()
    return files, served


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        raise NotPermitted(
            f"{fault.filename} cannot be read: {fault.strerror}",
            hint="Run the backup as the user of the site, or as root.",
        ) from fault


def _require_outside(site: Site, folder: Path) -> None:
    """A backup on the site's own disk folder would be lost with it, and grow with each backup."""
    if folder.resolve().is_relative_to(site.data.resolve()):
        raise InvalidInput(
            f"{folder} is in the site's own data folder",
            hint="Name a folder elsewhere, best on another disk or machine.",
        )
