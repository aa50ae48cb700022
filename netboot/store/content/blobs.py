"""Blobs: files known by the SHA-256 of their content, written once and never changed.

On disk: `blobs/ab/abcdef…` (64 hex digits), mode 0444, in a folder of mode 0700.

The order of writing matters: staging file, fsync, rename to its digest, fsync of the folder, and
only then may a database row name it. A crash leaves a staging file, never half a blob. A failed
fsync is final: the file is deleted and the import fails, because a second fsync may succeed
although the data is lost. Until its folder is synced a blob has mode 0400, and is not trusted.


A blob that no row names may be discarded once it is old. Code that finds a blob already stored
renews its age under the same lock (`keep`), so it stays until a row names it.
"""

import contextlib
import ctypes
import fcntl
import hashlib
import io
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from netboot.errors import BlobMissing, DigestMismatch, DiskFault, InvalidInput, NetbootError
from netboot.store.content.disk_faults import disk_fault, explain_disk_fault
from netboot.store.content.named_files import open_file
from netboot.store.content.staging_area import begin_work, clear_unless_in_use

CHUNK = 1 << 20
PREFIX = "sha256:"
SPARE_BYTES = 256 << 20
ALTERED = "altered"
"""The folder of damaged blobs; see netboot.store.content.quarantine."""

_SETTLED, _UNSETTLED = 0o444, 0o400

_NAME = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """A blob in the store: `digest` is `sha256:<hex>`, `size` in bytes."""

    digest: str
    size: int


def hash_stream(stream: BinaryIO, pace: Callable[[int], None] | None = None) -> StoredBlob:
    """Digest and length of the rest of `stream`; calls `pace` with the bytes of each piece."""
    sha, size = hashlib.sha256(), 0
    while chunk := stream.read(CHUNK):
        sha.update(chunk)
        size += len(chunk)
        if pace:
            pace(len(chunk))
    return StoredBlob(PREFIX + sha.hexdigest(), size)


def hash_file(path: Path) -> StoredBlob:
    with path.open("rb") as stream:
        return hash_stream(stream)


def sync_folder(path: Path) -> None:
    """Make a rename inside `path` survive a power loss."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class BlobStore:
    """Blobs below `root`, with a staging folder on the same file system."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "blobs"
        self.staging = root / "staging"
        with self._explained():
            for folder in (self.folder, self.staging):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def path(self, digest: str) -> Path:
        """The path of the blob, stored or not. Raises ValueError if `digest` is not one."""
        name = digest.removeprefix(PREFIX)
        if not _NAME.fullmatch(name):
            raise ValueError(f"not a sha256 digest: {digest!r}")
        return self.folder / name[:2] / name

    def holds(self, digest: str) -> bool:
        return self.path(digest).is_file()

    def keep(self, digest: str) -> bool:
        """Whether the blob is stored; if so, renews its age, so that `discard` spares it.

        Raises DiskFault for a blob whose folder cannot be synced; the blob is deleted.
        """
        path = self.path(digest)
        with self._locked(fcntl.LOCK_SH):
            try:
                mode = path.stat().st_mode
                os.utime(path)
            except FileNotFoundError:
                return False
            if mode & _SETTLED != _SETTLED:  # a crash, or a fault that left it
                with self._explained():
                    self._make_durable(path)
        return True

    def require(self, digest: str) -> Path:
        """The blob's path. Raises BlobMissing."""
        path = self.path(digest)
        if not path.is_file():
            raise BlobMissing(f"blob {digest} is missing in {self.folder}")
        return path

    def verify(self, digest: str, pace: Callable[[int], None] | None = None) -> int:
        """Compare the blob with its digest; returns its size. Raises BlobMissing, DigestMismatch.

        `pace` is called with the bytes of each piece, and may delay the next one.
        """
        try:
            with self.require(digest).open("rb") as stream:
                found = hash_stream(stream, pace)
        except OSError as fault:
            raise BlobMissing(f"blob {digest} cannot be read: {fault.strerror}") from fault
        if found.digest != digest:
            raise DigestMismatch(f"blob {digest} is damaged: its digest is now {found.digest}")
        return found.size

    @contextlib.contextmanager
    def staging_folder(self) -> Iterator[Path]:
        """A temporary folder for one piece of work; always deleted afterwards.

        Raises DiskFault for work that fails because the disk is full or fails.
        """
        with self._explained():
            folder, lock = begin_work(self.staging)
        try:
            yield folder
        except (OSError, NetbootError) as fault:
            explained = disk_fault(fault, self.root)
            if explained is None or isinstance(fault, DiskFault):
                raise
            raise explained from fault
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)

    def add_file(self, path: Path, *, move: bool = False) -> StoredBlob:
        """Store a copy of the file at `path` (or the file itself, from staging, if `move`).

        Raises InvalidInput if it cannot be read or is no file, OperatorFault if the disk is full.
        """
        if move:
            with self._explained():
                found = hash_file(path)
            return self.adopt(path, found)
        with open_file(path) as stream:
            try:
                self.check_space(os.fstat(stream.fileno()).st_size)
            except DiskFault:
                with self._explained():
                    found = hash_stream(stream)
                    if self.keep(found.digest):  # no new bytes: the reserve is not touched
                        return found
                raise
            return self.add_stream(stream)

    def adopt(self, path: Path, found: StoredBlob) -> StoredBlob:
        """Store the staging file at `path` itself; `found` is its hash. Raises OperatorFault."""
        with self._explained():
            if self.keep(found.digest):
                path.unlink()
                return found
            path.chmod(_UNSETTLED)
            os.utime(path)  # a file from a WIM has an old time, but `discard` needs the blob's age
            with path.open("rb") as stream:
                os.fsync(stream.fileno())
            self._settle(path, found.digest)
        return found

    def add_bytes(self, data: bytes) -> StoredBlob:
        """Raises DiskFault."""
        found = hash_stream(io.BytesIO(data))
        with self._explained():
            if self.keep(found.digest):
                return found
        return self.add_stream(io.BytesIO(data))

    def add_stream(self, stream: BinaryIO) -> StoredBlob:
        """Raises InvalidInput if `stream` cannot be read, OperatorFault if the disk is full."""
        sha, size = hashlib.sha256(), 0
        with self.staging_folder() as work, self._explained():
            part = work / "part"
            fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _UNSETTLED)
            with os.fdopen(fd, "wb") as out:
                while chunk := _read(stream):
                    sha.update(chunk)
                    out.write(chunk)
                    size += len(chunk)
                out.flush()
                os.fsync(out.fileno())
            digest = PREFIX + sha.hexdigest()
            if not self.keep(digest):
                self._settle(part, digest)
        return StoredBlob(digest, size)

    def add_many(self, wanted: Mapping[str, Path]) -> None:
        """Store the files at these paths by their known digests: all or none.

        They are synced together: a thousand small files take the time of a few. Raises
        InvalidInput if a file does not match its digest, OperatorFault if the disk is full.
        """
        missing = {digest: path for digest, path in wanted.items() if not self.keep(digest)}
        if not missing:
            return
        self.check_space(sum(_size(path) for path in missing.values()))
        with self.staging_folder() as work, self._explained():
            parts = {digest: work / f"{number}" for number, digest in enumerate(missing)}
            # First the content of all files, then their names: as for a single blob.
            with synced_together(self.staging):
                for digest, path in missing.items():
                    _copy(path, parts[digest], digest)
            try:
                with synced_together(self.folder):
                    for digest, part in parts.items():
                        self.path(digest).parent.mkdir(mode=0o700, exist_ok=True)
                        part.replace(self.path(digest))
            except OSError:
                for digest in parts:
                    with contextlib.suppress(OSError):
                        self.path(digest).unlink(missing_ok=True)
                raise
            for digest in parts:
                self.path(digest).chmod(_SETTLED)

    def take_from(self, other: "BlobStore", digest: str) -> bool:
        """Get a blob from another store, by hard link if possible; False if it was here."""
        if self.holds(digest):
            with self._explained():
                self._make_durable(self.path(digest))  # the copy before may have been cut off
            return False
        source = other.require(digest)
        with self.staging_folder() as work:
            part = work / "part"
            try:
                os.link(source, part)
            except OSError:
                self.add_file(source)  # another file system, or one without links
                return True
            with self._explained():
                self._settle(part, digest)
        return True

    def set_aside(self, digest: str) -> None:
        """Move a damaged blob to `altered/`, where an administrator can examine it."""
        folder = self.root / ALTERED
        with self._explained(), contextlib.suppress(FileNotFoundError):
            folder.mkdir(mode=0o700, exist_ok=True)
            aside = folder / digest.removeprefix(PREFIX)
            self.path(digest).replace(aside)
            os.utime(aside)  # the time of its quarantine, no longer that of its import

    def remove(self, digest: str) -> None:
        self.path(digest).unlink(missing_ok=True)

    def discard(self, digest: str, *, before: float) -> int | None:
        """Delete a blob that no row names; None if it was stored or used since `before`.

        `before` is epoch seconds. Returns the bytes that this frees on the disk.
        """
        with self._locked(fcntl.LOCK_EX):
            path = self.path(digest)
            try:
                found = path.stat()
            except FileNotFoundError:
                return None
            if found.st_mtime >= before:
                return None
            path.unlink()
        return found.st_size if found.st_nlink == 1 else 0

    def digests(self) -> Iterator[str]:
        for path in sorted(self.folder.glob("??/*")):
            if _NAME.fullmatch(path.name):
                yield PREFIX + path.name

    def check_space(self, size: int) -> None:
        """Raises DiskFault if `size` more bytes would fill the disk."""
        free = shutil.disk_usage(self.root).free
        if free < size + SPARE_BYTES:
            raise DiskFault(
                f"not enough space in {self.root}: {size >> 20} MiB are needed on top of a reserve"
                f" of {SPARE_BYTES >> 20} MiB, {free >> 20} MiB are free",
                hint="Free some disk space or move the data folder. Nothing was changed.",
            )

    def clear_staging(self) -> int:
        """Delete what interrupted work left in staging; returns the number of files and folders.

        Work that still runs, in this process or another, keeps its files.
        """
        return sum(clear_unless_in_use(path) for path in self.staging.iterdir())

    def _settle(self, part: Path, digest: str) -> None:
        """Rename the synced file to its digest; then sync its folder, and a new parent."""
        target = self.path(digest)
        if not target.parent.is_dir():
            target.parent.mkdir(mode=0o700, exist_ok=True)
            sync_folder(self.folder)
        part.replace(target)
        self._make_durable(target)

    def _make_durable(self, target: Path) -> None:
        """Sync the folders of a blob; on a fault it is deleted, as its name may be lost."""
        try:
            sync_folder(target.parent)
            sync_folder(self.folder)
            if target.stat().st_mode & _SETTLED != _SETTLED:
                target.chmod(_SETTLED)
        except OSError:
            with contextlib.suppress(OSError):
                target.unlink(missing_ok=True)
            raise

    @contextlib.contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        fd = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(fd, how)
            yield
        finally:
            os.close(fd)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as fault:
            raise explain_disk_fault(fault, self.root) from fault


@contextlib.contextmanager
def synced_together(folder: Path) -> Iterator[None]:
    """After the block, all files and names written below `folder` are on the disk.

    syncfs(2) reports writes that failed since the folder was opened (Linux 5.8 and later).
    """
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield
        if ctypes.CDLL(None, use_errno=True).syncfs(fd):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    finally:
        os.close(fd)


def _read(stream: BinaryIO) -> bytes:
    """The next piece; a fault of the source is not one of our disk."""
    try:
        return stream.read(CHUNK)
    except OSError as fault:
        raise InvalidInput(
            f"reading failed: {fault.strerror}", hint="Try again. Nothing was changed."
        ) from fault


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as fault:
        raise InvalidInput(f"{path} cannot be read: {fault.strerror}") from fault


def _copy(source: Path, target: Path, digest: str) -> None:
    """Copy to a new file, not synced yet. Raises InvalidInput if it does not match `digest`."""
    sha = hashlib.sha256()
    try:
        stream = source.open("rb", buffering=0)
    except OSError as fault:
        raise InvalidInput(f"{source} cannot be read: {fault.strerror}") from fault
    fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _UNSETTLED)
    # Buffered: a raw write may write only a part, for example on an almost full disk.
    with stream, os.fdopen(fd, "wb") as out:
        while chunk := _read(stream):
            sha.update(chunk)
            out.write(chunk)
    if PREFIX + sha.hexdigest() != digest:
        raise InvalidInput(f"{source} changed during the import", hint="Import it again.")
