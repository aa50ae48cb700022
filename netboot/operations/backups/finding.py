"""Backup files that were made before: found in folders, put together, and verified."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from netboot.errors import InvalidInput, NotFound
from netboot.progress import Progress, silent
from netboot.store.backups.archive import SITE, BackupFile, Base, Member


@dataclass(frozen=True, slots=True)
class VerifiedBackup:
    """A backup that is intact, with all that it needs. `bases` are the files it is based on."""

    file: str
    id: str
    kind: str
    release: str
    schema: str
    made_at: float
    size: int
    blobs: int
    bases: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BackupSet:
    """A backup, and the earlier ones that hold its other blobs, by id."""

    own: BackupFile
    bases: dict[str, BackupFile]

    @property
    def files(self) -> tuple[BackupFile, ...]:
        return (self.own, *self.bases.values())

    def check(self, progress: Progress = silent) -> None:
        """Read every byte of all files. Raises InvalidInput that says what was altered."""
        for place, file in enumerate(self.files):
            whole = len(self.files)

            def tell(part: float, stage: str, place: int = place, whole: int = whole) -> None:
                progress((place + part) / whole, stage)

            file.check(tell)
        self.places()

    def places(self) -> dict[str, tuple[BackupFile, Member]]:
        """Where each blob is. Raises InvalidInput if one is in no file."""
        held = {file.head.id: (file, file.blobs()) for file in self.files}
        found = {}
        contents, missing = self.own.contents, set(self.own.contents.missing)
        for digest in sorted({one for digests in contents.stores.values() for one in digests}):
            file, blobs = held[contents.elsewhere.get(digest, self.own.head.id)]
            if digest in blobs:
                found[digest] = (file, blobs[digest])
            elif digest not in missing:
                raise InvalidInput(
                    f"{file.path} does not hold {digest}, which {self.own.path} needs",
                    hint="Use another backup. Nothing was changed.",
                )
        return found


@contextmanager
def open_set(path: Path, others: Sequence[Path] = ()) -> Iterator[BackupSet]:
    """The backup with those that it is based on: `others`, or files in its own folder.

    Raises InvalidInput, or NotFound that says which one is missing.
    """
    with ExitStack() as stack:
        own = stack.enter_context(BackupFile(path))
        wanted = {base.id: base for base in own.contents.bases}
        found: dict[str, BackupFile] = {}
        for other in others:
            file = stack.enter_context(BackupFile(other))
            if file.head.id in wanted:
                found[file.head.id] = file
        for base in wanted.values():
            if base.id not in found:
                found[base.id] = stack.enter_context(BackupFile(_base_in(path, base)))
        yield BackupSet(own, found)


def _base_in(path: Path, base: Base) -> Path:
    """The file of a base in the folder of the backup, even if it was renamed."""
    named = path.parent / base.name
    for candidate in (named, *sorted(path.parent.glob("*.tar"))):
        with suppress(InvalidInput), BackupFile(candidate) as file:
            if file.head.id == base.id:
                return candidate
    if named.is_file():
        with BackupFile(named):  # raises what is wrong with it
            pass
    made = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(base.made_at))
    raise NotFound(
        f"{path} is incremental, and the backup that it is based on is missing:"
        f" {base.name} of {made} (id {base.id})",
        hint=f"Copy that file to {path.parent}, or name it with --base. Nothing was changed.",
    )


def newest_in(folder: Path) -> Path | None:
    """The newest backup of a site in a folder that has all that it is based on."""
    paths = sorted(folder.glob("*.tar"), key=lambda one: one.stat().st_mtime, reverse=True)
    for path in paths:
        with suppress(InvalidInput, NotFound), open_set(path) as found:
            if found.own.head.kind == SITE:
                return path
    return None


def verify_backup(
    path: Path, others: Sequence[Path] = (), *, progress: Progress = silent
) -> VerifiedBackup:
    """Read every byte of a backup and of those that it is based on. Raises InvalidInput, NotFound.

    `others` are backups that are not in its folder.
    """
    with open_set(path, others) as found:
        found.check(progress)
        head, contents = found.own.head, found.own.contents
        return VerifiedBackup(
            file=str(path),
            id=head.id,
            kind=head.kind,
            release=head.release,
            schema=head.schema,
            made_at=head.made_at,
            size=path.stat().st_size,
            blobs=len(found.places()),
            bases=tuple(str(file.path) for file in found.bases.values()),
            missing=contents.missing,
        )
