"""The blobs of an OCI layout: the same store, with names as the format has them.

References: OCI image-spec 1.1, image-layout.md: `blobs/<algorithm>/<digits>`.
"""

import contextlib
import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from netboot.errors import DigestMismatch
from netboot.store.content.blobs import CHUNK, PREFIX, BlobStore, synced_together

Part = tuple[int, int]
"""Offset and size in a file."""


class LayoutBlobs(BlobStore):
    """Blobs where an OCI layout has them."""

    def path(self, digest: str) -> Path:
        return self.folder / "sha256" / super().path(digest).name

    def digests(self) -> Iterator[str]:
        for path in sorted((self.folder / "sha256").glob("?" * 64)):
            yield PREFIX + path.name

    def keep_whole(self, digest: str) -> bool:
        """Whether the blob is stored and undamaged; a damaged one is moved to `altered/`."""
        if not self.keep(digest):
            return False
        try:
            self.verify(digest)
        except DigestMismatch:
            self.set_aside(digest)
            return False
        return True

    def add_parts(self, path: Path, parts: Mapping[str, Part]) -> None:
        """Store parts of a file by their digests: all or none, synced together.

        Raises DigestMismatch if the file is no longer what it was, DiskFault.
        """
        with self.staging_folder() as work:
            staged = {digest: work / f"{number}" for number, digest in enumerate(parts)}
            with synced_together(self.staging), path.open("rb") as stream:
                for digest, (offset, size) in parts.items():
                    stream.seek(offset)
                    if _copy(stream, size, staged[digest]) != digest:
                        raise DigestMismatch(f"{path} changed while it was read")
            (self.folder / "sha256").mkdir(mode=0o700, exist_ok=True)
            try:
                with synced_together(self.folder):
                    for digest, part in staged.items():
                        part.replace(self.path(digest))
            except OSError:  # what is not surely on the disk is not kept (see blobs.py)
                for digest in staged:
                    with contextlib.suppress(OSError):
                        self.path(digest).unlink(missing_ok=True)
                raise
            for digest in staged:
                self.path(digest).chmod(0o444)


def _copy(stream: BinaryIO, size: int, target: Path) -> str:
    """Copy the next bytes to a new file, not synced yet; returns their digest."""
    sha = hashlib.sha256()
    # Until its folder is synced a blob has mode 0400 (see blobs.py).
    fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o400)
    with os.fdopen(fd, "wb") as out:
        for piece in pieces(stream, size):
            sha.update(piece)
            out.write(piece)
    return PREFIX + sha.hexdigest()


def pieces(stream: BinaryIO, size: int) -> Iterator[bytes]:
    """The next `size` bytes of a stream, or what there is of them."""
    while size and (piece := stream.read(min(size, CHUNK))):
        size -= len(piece)
        yield piece
