"""Open blobs for the boot services: all transfers of a blob share one mapping.

A transfer keeps its mapping: a new version, a clean-up or an unlink does not affect it. The last
few mappings stay open after use, since the next machine requests the same files.
"""

import mmap
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from netboot.boot.files.names import ContentRef
from netboot.errors import BlobMissing, DigestMismatch

IDLE_KEPT = 32


class Mapping:
    """The file of one blob, opened and mapped; only the cache closes it."""

    __slots__ = ("digest", "fd", "map", "size", "users", "view")

    def __init__(self, digest: str, fd: int, size: int) -> None:
        self.digest = digest
        self.fd = fd
        self.size = size
        self.users = 0
        self.map = mmap.mmap(fd, size, prot=mmap.PROT_READ) if size else None
        self.view = memoryview(self.map if self.map is not None else b"")

    def release(self) -> None:
        self.view.release()
        if self.map is not None:
            self.map.close()
        os.close(self.fd)


class OpenContent:
    """One reader's use of a mapping (netboot.serve.content.Content)."""

    __slots__ = ("_cache", "_mapping", "fd", "size", "view")

    def __init__(self, cache: "ContentCache", mapping: Mapping) -> None:
        self._cache = cache
        self._mapping: Mapping | None = mapping
        self.fd = mapping.fd
        self.size = mapping.size
        self.view = mapping.view[:]

    def close(self) -> None:
        """Release the mapping; a second call does nothing."""
        mapping, self._mapping = self._mapping, None
        if mapping is not None:
            self.view.release()
            self._cache.let_go(mapping)


class ContentCache:
    """Opens blobs by digest through `locate` (digest to path); thread-safe."""

    def __init__(self, locate: Callable[[str], Path]) -> None:
        self._locate = locate
        self._lock = threading.Lock()
        self._open: OrderedDict[str, Mapping] = OrderedDict()

    def open(self, ref: ContentRef) -> OpenContent:
        """The bytes of `ref`. Raises BlobMissing, or DigestMismatch if its size is wrong."""
        with self._lock:
            mapping = self._whole(ref.digest) or self._map(ref)
            mapping.users += 1
            self._open[ref.digest] = mapping
            self._open.move_to_end(ref.digest)
            return OpenContent(self, mapping)

    def let_go(self, mapping: Mapping) -> None:
        """One reader has finished; closes the oldest idle mappings beyond the last few."""
        with self._lock:
            mapping.users -= 1
            if mapping.users:
                return
            if self._open.get(mapping.digest) is not mapping:  # given up by `_whole`
                mapping.release()
                return
            idle = [held for held in self._open.values() if not held.users]
            for old in idle[: max(0, len(idle) - IDLE_KEPT)]:
                del self._open[old.digest]
                old.release()

    def _whole(self, digest: str) -> Mapping | None:
        """The mapping that is open, unless its file was cut off on disk since."""
        mapping = self._open.get(digest)
        if mapping is None or os.fstat(mapping.fd).st_size == mapping.size:
            return mapping
        del self._open[digest]  # another file may be in its place by now
        if not mapping.users:
            mapping.release()
        return None

    def _map(self, ref: ContentRef) -> Mapping:
        path = self._locate(ref.digest)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as fault:
            raise BlobMissing(f"{ref.name}: its blob {ref.digest} cannot be opened") from fault
        try:
            size = os.fstat(fd).st_size
            if size != ref.size:
                raise DigestMismatch(
                    f"{ref.name}: {size} bytes found, but {ref.size} were published"
                )
            return Mapping(ref.digest, fd, size)
        except BaseException:
            os.close(fd)
            raise
