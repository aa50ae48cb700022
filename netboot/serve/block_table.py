"""A file cut into DATA packets, once for all clients who are on it.

Law: no byte of the file is copied. A packet is a header out of a table that all files share, and
a slice of the file's mapping. Cutting is what a window costs most of on our side; while several
clients take the same file in blocks of the same size, stretches that are cut stay for the next.
"""

from collections import deque
from typing import Protocol

from netboot.boot.files import ContentRef
from netboot.protocols.netascii import Netascii
from netboot.serve.content import Content, OpenContent

_STRETCH = 64  # blocks; a power of two
_SHIFT = 6
_KEPT = 512  # stretches of all files together: 7 MB of slices

HEADERS = [b"\0\3" + number.to_bytes(2, "big") for number in range(65536)]

Parts = list[bytes | memoryview]


class Blocks(Protocol):
    """What can be cut into blocks: a mapping of the file, or its netascii form."""

    def __getitem__(self, stretch: slice, /) -> bytes | memoryview: ...


class BlockTable:
    """One file in blocks of one size. Made and given back by `BlockTables`."""

    __slots__ = ("_blocks", "_content", "_keep", "_size", "_stretches", "key", "users")

    def __init__(self, key: "Key", content: Content, keep: deque["Kept"]) -> None:
        _, netascii, block_size = key
        self.key = key
        self.users = 0
        self._content = content
        self._blocks: Blocks = Netascii(content.view) if netascii else content.view
        self._size = block_size
        self._keep = keep
        self._stretches: dict[int, Parts] = {}

    def packet(self, block: int) -> tuple[bytes, bytes | memoryview]:
        """One block's header and payload; a single one is cut faster than it is found."""
        stop = block * self._size
        return HEADERS[block & 0xFFFF], self._blocks[stop - self._size : stop]

    def packets(self, first: int, count: int) -> Parts:
        """`count` blocks from `first` on, at most 64: header and payload in turn."""
        if self.users == 1:
            return self._cut(first, count)
        index, offset = first - 1 >> _SHIFT, first - 1 & _STRETCH - 1
        stretch = self._stretches.get(index) or self._fill(index)
        end = offset + count
        if end <= _STRETCH:
            return stretch[2 * offset : 2 * end]
        rest = self._stretches.get(index + 1) or self._fill(index + 1)
        return stretch[2 * offset :] + rest[: 2 * (end - _STRETCH)]

    def forget(self, index: int) -> None:
        """Let go of a stretch."""
        self._stretches.pop(index, None)

    def close(self) -> bool:
        """Let go of the file, of which no slice may be left; whether there were any."""
        had_stretches = bool(self._stretches)
        self._stretches.clear()
        self._blocks = b""
        self._content.close()
        return had_stretches

    def _fill(self, index: int) -> Parts:
        stretch = self._stretches[index] = self._cut(index * _STRETCH + 1, _STRETCH)
        self._keep.append((self, index))
        if len(self._keep) > _KEPT:
            table, oldest = self._keep.popleft()
            table.forget(oldest)
        return stretch

    def _cut(self, first: int, count: int) -> Parts:
        size, blocks = self._size, self._blocks
        wire = first & 0xFFFF
        headers = HEADERS[wire : wire + count]
        if len(headers) < count:
            headers += HEADERS[: count - len(headers)]
        parts: Parts = [b""] * (2 * count)
        parts[::2] = headers
        start = (first - 1) * size
        parts[1::2] = [blocks[at : at + size] for at in range(start, start + count * size, size)]
        return parts


Key = tuple[str, bool, int]
Kept = tuple[BlockTable, int]


class BlockTables:
    """The tables of all files that clients are on now."""

    def __init__(self, open_content: OpenContent) -> None:
        self._open_content = open_content
        self._tables: dict[Key, BlockTable] = {}
        self._keep: deque[Kept] = deque()

    def open(self, ref: ContentRef, *, block_size: int, netascii: bool) -> BlockTable:
        """The table for one more transfer; `close` it at the end. Raises ContentFault."""
        key = (ref.digest, netascii, block_size)
        table = self._tables.get(key)
        if table is None:
            table = BlockTable(key, self._open_content(ref), self._keep)
            self._tables[key] = table
        table.users += 1
        return table

    def close(self, table: BlockTable) -> None:
        """One transfer less; the last one lets go of the file."""
        table.users -= 1
        if table.users:
            return
        del self._tables[table.key]
        if table.close():
            kept = [(other, index) for other, index in self._keep if other is not table]
            self._keep.clear()
            self._keep.extend(kept)
