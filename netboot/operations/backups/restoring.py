"""Restore a site from a backup, into an empty data folder or in place of a site.

Law: all of the backup is checked first, then the new site is made next to the old one, and only
then do they change places, by renames. The old site is moved to a folder, not deleted. A stop in
between leaves a note (`netboot.site.UNFINISHED`), and the site does not open until the restore is
repeated.
"""

import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

import tomlkit

from netboot.config import FILE_NAME, SYSTEM_COPY, load_settings, system_file
from netboot.errors import InUse, InvalidInput, NotPermitted, OperatorFault
from netboot.operations.backups import own_file
from netboot.operations.backups.finding import BackupSet, open_set
from netboot.operations.backups.own_file import SQLITE
from netboot.operations.backups.target import (
    empty_database,
    forget_moment,
    now_in_names,
    record,
    require_space,
)
from netboot.progress import Progress, silent
from netboot.site import SERVICES, UNFINISHED, Site
from netboot.store.backups.archive import DATABASE, copy_blob
from netboot.store.backups.database_copies import fill_database
from netboot.store.backups.journal_copies import make_journal
from netboot.store.content.blobs import PREFIX, sync_folder, synced_together
from netboot.store.content.disk_faults import explain_disk_fault
from netboot.store.database.schema import is_known
from netboot.store.database.site_database import Database

NEW, ASIDE = ".restore-new", "before-restore"
LOCKS = {"run.lock", *(f"{kind}.lock" for kind in SERVICES)}
STAYS = {*LOCKS, "lost+found", NEW, UNFINISHED}
FILES = (
    *(FILE_NAME, SYSTEM_COPY, "secret", "tls/*.pem"),
    *("points/site/*.json", "points/site/versions/*.json"),
)
"""The small files that a backup may hold; nothing else in it is written to the disk."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored; `aside` is where the site from before is, `database_aside` its rows.

    `system_settings` is a copy of the settings below /etc of the machine that was backed up, where
    they differ from those of this one.
    """

    id: str
    made_at: float
    release: str
    data: str
    database: str
    rows: int
    entries: int
    blobs: int
    aside: str
    database_aside: str
    missing: tuple[str, ...]
    system_settings: str = ""


def restore(
    data: Path,
    file: Path,
    *,
    others: Sequence[Path] = (),
    database: str | None = None,
    force: bool = False,
    actor: str = "",
    progress: Progress = silent,
) -> Restored:
    """Make the site of a backup in the folder `data`.

    `others` are backups that it is based on; `database` is the URL for its database, `sqlite` for
    one in the data folder, and None for what its settings say. With `force` an existing site is
    moved aside. Raises InvalidInput, NotFound, InUse, SiteAlreadyRunning, DiskFault; then nothing
    was changed.
    """
    with open_set(file, others) as backup:
        _require_restorable(backup)
        backup.check(lambda part, stage: progress(0.3 * part, stage))
        site = Site.open(data, unfinished=True)
        lock = site.claim()
        try:
            _require_empty(site.data, force=force)
            restored = _carry_out(site, backup, database, progress, force=force)
        finally:
            lock.release()
    # The restored audit log begins with who restored it.
    details: dict[str, object] = {"backup": restored.id, "made_at": round(restored.made_at)}
    record(data, actor, "site.restore", details)
    with suppress(OSError):
        _give_to_owner(site.data)
    progress(1.0, "done")
    return restored


def _require_restorable(backup: BackupSet) -> None:
    head, path = backup.own.head, backup.own.path
    if head.kind == DATABASE:
        raise InvalidInput(
            f"{path} holds only the database from before an upgrade",
            hint="Restore it with `netboot site take-back`.",
        )
    if not is_known(head.schema):
        raise OperatorFault(
            f"{path} was made by netboot {head.release}, whose schema {head.schema} is newer than"
            " this release",
            hint=f"Restore it with netboot {head.release} or newer. Nothing was changed.",
        )


def _require_empty(data: Path, *, force: bool) -> None:
    found = sorted(one.name for one in data.iterdir() if one.name not in STAYS)
    if found and not force:
        some = ", ".join(found[:4])
        raise InUse(
            f"{data} is not empty: it holds {some}",
            hint="Name an empty folder with --data. Or use --force: what is there is moved to a"
            f" folder {ASIDE}-… in it, and not deleted.",
        )


def _carry_out(
    site: Site, backup: BackupSet, url: str | None, progress: Progress, *, force: bool
) -> Restored:
    """Make the new site in a folder of its own, then let it take its place."""
    new = site.data / NEW
    with _explained(site.data):
        aside = _folder_aside(site.data)
    try:
        with _explained(new):
            new.mkdir(mode=0o700)
            size = sum(member.size for _, member in backup.places().values())
            require_space(new, size, "Free some disk space.")
        _write_files(backup, new)
        has_other_system = _keep_other_system(new)
        chosen = _choose_database(new, url)
        blobs = _write_blobs(backup, new, lambda part, stage: progress(0.3 + 0.4 * part, stage))
        progress(0.7, "journal")
        journal = backup.own.contents.journal
        entries = make_journal(
            new / "journal.db", backup.own.lines("journal"), journal.get("last_id", 0)
        )
        progress(0.75, "database")
        exchange = _Exchange(site.data, new, aside)
        target = Database(chosen or f"sqlite:///{new / own_file.NAME}")
        tables_aside = f"netboot_{aside.name}".replace("-", "_")
        try:
            moved = _fill(target, backup, exchange, tables_aside, force=force)
        finally:
            target.close()
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    rows = sum(int(table["rows"]) for table in backup.own.contents.tables.values())
    head = backup.own.head
    shown = target.engine.url.render_as_string(hide_password=True)
    return Restored(
        id=head.id,
        made_at=head.made_at,
        release=head.release,
        data=str(site.data),
        database=shown if chosen else own_file.NAME,
        rows=rows,
        entries=entries,
        blobs=blobs,
        aside=str(aside) if aside.exists() else "",
        database_aside=tables_aside if moved else "",
        missing=backup.own.contents.missing,
        system_settings=str(site.data / SYSTEM_COPY) if has_other_system else "",
    )


def _folder_aside(data: Path) -> Path:
    """The folder for the old site: after an interruption, the one that has a part of it already."""
    shutil.rmtree(data / NEW, ignore_errors=True)
    note = data / UNFINISHED
    if not note.is_file():
        aside = data / f"{ASIDE}-{now_in_names()}"
        if not aside.exists():
            return aside
        return data / f"{aside.name}-{secrets.token_hex(2)}"  # the second one within a second
    aside = data / PurePosixPath(note.read_text().strip()).name
    for one in data.iterdir():
        # What the old site has in the folder already was put here by the interrupted restore.
        if one.name not in STAYS and (aside / one.name).exists():
            shutil.rmtree(one) if one.is_dir() else one.unlink()
    return aside


def _write_files(backup: BackupSet, new: Path) -> None:
    for name, member in backup.own.members.items():
        path = PurePosixPath(name.removeprefix("files/"))
        if name.startswith("files/"):
            if not any(_is_like(path, one) for one in FILES):
                raise InvalidInput(f"{backup.own.path} holds a file of a strange name: {name[:60]}")
            data = backup.own.read(member)
            with _explained(new):
                target = new / path
                for parent in reversed(target.relative_to(new).parents[:-1]):
                    (new / parent).mkdir(mode=0o700, exist_ok=True)
                target.write_bytes(data)
                target.chmod(0o600)


def _keep_other_system(new: Path) -> bool:
    """Whether the backup has system settings that differ from this machine's; else none stay."""
    copy, system = new / SYSTEM_COPY, system_file()
    with _explained(new):
        if copy.is_file() and system is not None and copy.read_bytes() == system.read_bytes():
            copy.unlink()
        return copy.is_file()


def _is_like(path: PurePosixPath, pattern: str) -> bool:
    is_as_deep = len(path.parts) == len(PurePosixPath(pattern).parts)
    return is_as_deep and ".." not in path.parts and fnmatch(str(path), pattern)


def _choose_database(new: Path, url: str | None) -> str:
    """The URL of the restored site's database; empty for one in its folder.

    `url` replaces the one in its settings. Raises InvalidInput.
    """
    path = new / FILE_NAME
    if url is not None:
        with _explained(new):
            document = tomlkit.parse(path.read_text() if path.is_file() else "")
            document.pop("database_url", None)
            if url != SQLITE:
                document["database_url"] = url
            path.write_text(tomlkit.dumps(document))
            path.chmod(0o600)
    chosen = load_settings(new, shown=new.parent / FILE_NAME).database_url
    if url is not None and chosen != ("" if url == SQLITE else url):
        raise InvalidInput(
            "the variable NETBOOT_DATABASE_URL names another database than --database",
            hint="Unset it, or leave --database out. Nothing was changed.",
        )
    return chosen


def _write_blobs(backup: BackupSet, new: Path, progress: Progress) -> int:
    """Write each blob once; the distribution point gets hard links where it can."""
    places = backup.places()
    stores = {name: set(digests) for name, digests in backup.own.contents.stores.items()}
    first = new / "blobs"
    point = new / "points" / "site" / "blobs"
    with _explained(new):
        for folder in (first, new / "points", new / "points" / "site", point):
            folder.mkdir(mode=0o700, exist_ok=True)
        for place, (digest, (file, member)) in enumerate(places.items()):
            progress(place / len(places), "content")
            homes = [
                folder
                for folder, store in ((first, "site"), (point, "point"))
                if digest in stores.get(store, ())
            ]
            paths = [_path(folder, digest) for folder in homes]
            copy_blob(file, member, paths[0])
            for other in paths[1:]:
                try:
                    os.link(paths[0], other)
                except OSError:  # a file system without links
                    copy_blob(file, member, other)
    return len(places)


def _path(folder: Path, digest: str) -> Path:
    name = digest.removeprefix(PREFIX)
    (folder / name[:2]).mkdir(mode=0o700, exist_ok=True)
    return folder / name[:2] / name


class _Exchange:
    """Moves the old site aside and the new one in; an error before `finish` undoes it."""

    def __init__(self, data: Path, new: Path, aside: Path) -> None:
        self.aside = aside
        self._data, self._new = data, new
        self._moves: list[tuple[Path, Path]] = []
        self._note = data / UNFINISHED

    def sync(self) -> None:
        """All that was written is on the disk before it takes the place of something else."""
        with _explained(self._new), synced_together(self._new):
            pass

    def begin(self) -> None:
        try:
            with _explained(self._data):
                self._note.write_text(f"{self.aside.name}\n")
                sync_folder(self._data)
                old = [one for one in self._data.iterdir() if one.name not in STAYS]
                old = [one for one in old if not one.name.startswith(f"{ASIDE}-")]
                if old:
                    self.aside.mkdir(mode=0o700, exist_ok=True)
                for one in old:
                    self._move(one, self.aside / one.name)
                for one in list(self._new.iterdir()):
                    self._move(one, self._data / one.name)
                _give_to_owner(self._data)
        except BaseException:
            self.undo()
            raise

    def finish(self) -> None:
        with _explained(self._data):
            self._new.rmdir()
            sync_folder(self._data)
            self._note.unlink()
            sync_folder(self._data)

    def undo(self) -> None:
        while self._moves:
            now, before = self._moves.pop()
            now.rename(before)
        with suppress(OSError):
            self.aside.rmdir()
        self._note.unlink(missing_ok=True)

    def _move(self, one: Path, to: Path) -> None:
        one.rename(to)
        self._moves.append((to, one))


def _fill(
    target: Database, backup: BackupSet, exchange: _Exchange, aside: str, *, force: bool
) -> bool:
    """Fill the new database and exchange the sites; whether old tables were moved aside."""
    try:
        with target.exclusive() as connection:
            moved = empty_database(connection, aside, force=force)
            fill_database(backup.own, connection)
            target.finish_schema(connection)
            forget_moment(connection)
            if not target.is_sqlite:  # the server commits when the folders are exchanged
                exchange.sync()
                exchange.begin()
        if target.is_sqlite:
            target.close()  # its file is about to be renamed
            exchange.sync()
            exchange.begin()
    except BaseException:
        exchange.undo()
        raise
    exchange.finish()
    return moved


def _give_to_owner(data: Path) -> None:
    """What root restored belongs to the user of the data folder, under whom the site runs."""
    owner = data.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        for folder, _, names in os.walk(data):
            for path in (Path(folder), *(Path(folder) / name for name in names)):
                os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


@contextmanager
def _explained(where: Path) -> Iterator[None]:
    try:
        yield
    except PermissionError as fault:
        raise NotPermitted(
            f"{fault.filename} cannot be written: {fault.strerror}",
            hint="Run this as the user of the site, or as root.",
        ) from fault
    except OSError as fault:
        raise explain_disk_fault(fault, where) from fault
