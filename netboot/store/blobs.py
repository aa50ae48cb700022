"""Blobs: files known by the SHA-256 of their content, written once and never changed.

On disk: `blobs/ab/abcdef…` (64 hex digits), mode 0444, in a folder of mode 0700.

The order of writing is the promise: staging file, fsync, rename to its digest, fsync of the
folder, and only then may a database row name it. A crash leaves a staging file, never half a
blob. An fsync that fails is final: the staging file is deleted and the import fails (a second
fsync may say yes to data that is gone).
"""

import contextlib
import errno
import hashlib
import io
import os
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from netboot.errors import BlobMissing, DigestMismatch, OperatorFault

CHUNK = 1 << 20
PREFIX = "sha256:"
SPARE_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """A blob that lies in the store: `digest` is `sha256:<hex>`, `size` in bytes."""

    digest: str
    size: int


def hash_stream(stream: BinaryIO) -> StoredBlob:
    """Digest and length of all that is left in `stream`."""
    sha, size = hashlib.sha256(), 0
    while chunk := stream.read(CHUNK):
        sha.update(chunk)
        size += len(chunk)
    return StoredBlob(PREFIX + sha.hexdigest(), size)


def hash_file(path: Path) -> StoredBlob:
    """Digest and length of the file at `path`."""
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
    """Blobs below `root`, with a staging folder beside them on the same file system."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "blobs"
        self.staging = root / "staging"
        for folder in (self.folder, self.staging):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def path(self, digest: str) -> Path:
        """Where the blob lies, or would lie. Raises ValueError for what is no digest."""
        name = digest.removeprefix(PREFIX)
        if len(name) != 64 or not all(c in "0123456789abcdef" for c in name):
            raise ValueError(f"not a sha256 digest: {digest!r}")
        return self.folder / name[:2] / name

    def holds(self, digest: str) -> bool:
        """Whether the blob is there (its bytes are not looked at)."""
        return self.path(digest).is_file()

    def require(self, digest: str) -> Path:
        """The blob's path. Raises BlobMissing."""
        path = self.path(digest)
        if not path.is_file():
            raise BlobMissing(f"blob {digest} is gone from {self.folder}")
        return path

    def verify(self, digest: str) -> int:
        """Read the blob whole and compare; its size. Raises BlobMissing or DigestMismatch."""
        found = hash_file(self.require(digest))
        if found.digest != digest:
            raise DigestMismatch(f"blob {digest} was altered: its bytes now hash to {found.digest}")
        return found.size

    @contextlib.contextmanager
    def staging_folder(self) -> Iterator[Path]:
        """A folder of its own for one piece of work; gone afterwards, whatever happens."""
        folder = self.staging / uuid.uuid4().hex
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def add_file(self, path: Path, *, move: bool = False) -> StoredBlob:
        """Take a copy of the file at `path` (or the file itself, from staging, if `move`)."""
        found = hash_file(path) if move else None
        if found is not None:
            if self.holds(found.digest):
                path.unlink()
                return found
            path.chmod(0o444)
            with path.open("rb") as stream:
                os.fsync(stream.fileno())
            self._settle(path, found.digest)
            return found
        self.check_space(path.stat().st_size)
        with path.open("rb") as stream:
            return self.add_stream(stream)

    def add_bytes(self, data: bytes) -> StoredBlob:
        """Store bytes that are at hand."""
        return self.add_stream(io.BytesIO(data))

    def add_stream(self, stream: BinaryIO) -> StoredBlob:
        """Store all that `stream` gives. Raises OperatorFault when the disk is full."""
        part = self.staging / f"{uuid.uuid4().hex}.part"
        sha, size = hashlib.sha256(), 0
        try:
            fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o444)
            with os.fdopen(fd, "wb") as out:
                while chunk := stream.read(CHUNK):
                    sha.update(chunk)
                    out.write(chunk)
                    size += len(chunk)
                out.flush()
                os.fsync(out.fileno())
            digest = PREFIX + sha.hexdigest()
            if not self.holds(digest):
                self._settle(part, digest)
        except OSError as fault:
            raise explain_disk_fault(fault, self.root) from fault
        finally:
            part.unlink(missing_ok=True)
        return StoredBlob(digest, size)

    def take_from(self, other: "BlobStore", digest: str) -> bool:
        """Get a blob from another store, by hard link where it can be; False if it was here."""
        if self.holds(digest):
            return False
        source = other.require(digest)
        part = self.staging / f"{uuid.uuid4().hex}.part"
        try:
            os.link(source, part)
        except OSError:
            with source.open("rb") as stream:
                self.add_stream(stream)
            return True
        self._settle(part, digest)
        return True

    def remove(self, digest: str) -> None:
        """Forget a blob that nothing names any more."""
        self.path(digest).unlink(missing_ok=True)

    def digests(self) -> Iterator[str]:
        """All blobs that lie here."""
        for folder in sorted(self.folder.iterdir()):
            yield from (PREFIX + path.name for path in sorted(folder.iterdir()))

    def check_space(self, size: int) -> None:
        """Refuse early what would fill the disk. Raises OperatorFault."""
        free = shutil.disk_usage(self.root).free
        if free < size + SPARE_BYTES:
            raise OperatorFault(
                f"not enough room below {self.root}: {size >> 20} MiB are needed beside a reserve"
                f" of {SPARE_BYTES >> 20} MiB, {free >> 20} MiB are free",
                hint="Free some space or move the data folder; nothing was changed.",
            )

    def clear_staging(self) -> None:
        """Throw away what interrupted work left behind (only when no other work is running)."""
        for left in self.staging.iterdir():
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)

    def _settle(self, part: Path, digest: str) -> None:
        target = self.path(digest)
        if not target.parent.is_dir():
            target.parent.mkdir(mode=0o700, exist_ok=True)
            sync_folder(self.folder)
        part.replace(target)
        sync_folder(target.parent)


def explain_disk_fault(fault: OSError, where: Path) -> OperatorFault:
    """An operating system's refusal in the operator's words."""
    if fault.errno == errno.ENOSPC:
        return OperatorFault(
            f"the disk below {where} is full", hint="Free some space; nothing was changed."
        )
    return OperatorFault(
        f"cannot write below {where}: {fault.strerror}",
        hint="Check the disk and the folder's owner; nothing was changed.",
    )
