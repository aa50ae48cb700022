"""Cuts the files of a version into layers, so that an update moves only what changed.

A WIM is cut between its resources (its files, each compressed alone), where the SHA-1 of a
resource says so. A resource keeps its bytes and its SHA-1 when others come, go or move, so the
borders move with the content, and most layers of the next version are those of this one. Layers
in order are the file: a reader joins them and knows nothing of this rule, which is number 1 of
its kind (docs/decisions/0080-layers-on-wim-borders.md).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from netboot.errors import FormatError, InvalidInput
from netboot.formats import cpio
from netboot.formats.wim.wim import (
    HEADER_SIZE,
    MAGIC,
    ResourceFlag,
    WimHeader,
    objections,
    parse_blob_table,
)

WIM_PART_TYPE = "application/vnd.netboot.wim.part.v1"
"""A part of a WIM that is cut by this rule; another rule has another number."""
FILE_TYPE = "application/vnd.netboot.file.v1"
"""A file, or a part of one at a fixed place."""

LAYERS_LIMIT = 500
"""Registries are known to work with hundreds of layers, not with thousands."""
_FILES_LIMIT = LAYERS_LIMIT // 5  # a WIM in an archive has at least five layers
_AIM = 400
_SMALLEST_AVERAGE = 64 << 10


@dataclass(frozen=True, slots=True)
class Content:
    """A resource of a WIM: `stored` bytes at `offset`, the SHA-1 of what is unpacked."""

    offset: int
    stored: int
    sha1: bytes


@dataclass(frozen=True, slots=True)
class Wim:
    """`size` bytes of a file from `offset` on: the whole file, or the inside of `boot.wim.cpio`.

    The offsets of its resources are those in the WIM.
    """

    offset: int
    size: int
    contents: tuple[Content, ...]


@dataclass(frozen=True, slots=True)
class FileToCut:
    """A file of a version, and the WIM in it."""

    name: str
    size: int
    wim: Wim | None = None


@dataclass(frozen=True, slots=True)
class PlannedLayer:
    """`size` bytes at `offset` of the file `name`."""

    name: str
    offset: int
    size: int
    media_type: str


def wim_place(head: bytes, size: int) -> tuple[int, int] | None:
    """Offset and size of the WIM in a file that begins with `head`; None if there is none.

    Linux takes a WIM in a cpio archive. Cut like the WIM itself, it has the same layers.
    """
    if head.startswith(MAGIC):
        return 0, size
    try:
        offset, inside = cpio.first_file(head)
    except FormatError:
        return None
    is_wim = head.startswith(MAGIC, offset) and offset + inside <= size
    return (offset, inside) if is_wim else None


def contents_of(header: WimHeader, table: bytes, size: int) -> tuple[Content, ...] | None:
    """The resources that layers may begin and end at; None for a file that is cut blindly.

    In a solid WIM many files are one resource, and a damaged one says nothing that helps.
    """
    if objections(header, size):
        return None
    try:
        blobs = parse_blob_table(table, size)
    except FormatError:
        return None
    resources = [blob.resource for blob in blobs]
    if any(ResourceFlag.SOLID in resource.flags for resource in resources):
        return None
    return tuple(
        Content(blob.resource.offset, blob.resource.stored, blob.sha1)
        for blob in blobs
        if blob.resource.stored and not blob.resource.flags & _NO_CONTENT
    )


_NO_CONTENT = ResourceFlag.METADATA | ResourceFlag.FREE


def plan_layers(files: Sequence[FileToCut]) -> tuple[PlannedLayer, ...]:
    """The layers of a version, file by file. Raises InvalidInput for too many files."""
    if len(files) > _FILES_LIMIT:
        raise InvalidInput(
            f"a version of {len(files)} files cannot be distributed",
            hint=f"A version may have at most {_FILES_LIMIT} files.",
        )
    average = _average(sum(file.size for file in files))
    while True:
        # Powers of two: a version that grows a little has the same average and the same borders.
        layers = tuple(layer for file in files for layer in _layers(file, average))
        if len(layers) <= LAYERS_LIMIT:
            return layers
        average *= 2


def _average(size: int) -> int:
    average = _SMALLEST_AVERAGE
    while average * _AIM < size:
        average *= 2
    return average


def _layers(file: FileToCut, average: int) -> Iterator[PlannedLayer]:
    wim = file.wim if file.wim is not None and file.wim.size > HEADER_SIZE else None
    cutter = _Cutter(average)
    if wim is not None:
        cutter.alone(wim.offset)
        cutter.cut_wim(wim)
        cutter.alone(file.size - wim.offset - wim.size)
    else:
        cutter.alone(file.size)
    start, media_type = 0, FILE_TYPE if wim is None else WIM_PART_TYPE
    for end in cutter.ends or [0]:  # an empty file has a layer, too, which has its title
        yield PlannedLayer(file.name, start, end - start, media_type)
        start = end


class _Cutter:
    """Rule 1. `ends` are the places where layers end; `_at` is how far the file was seen."""

    def __init__(self, average: int) -> None:
        self.ends: list[int] = []
        self._average = average
        self._least, self._most = average // 4, average * 4
        self._at = 0

    def alone(self, size: int) -> None:
        """Layers of their own, cut at fixed places from their start."""
        self._close()
        end = self._at + size
        while self._at < end:
            self._at = min(self._at + self._most, end)
            self._close()

    def cut_wim(self, wim: Wim) -> None:
        begin, end = self._at, self._at + wim.size
        self.alone(HEADER_SIZE)  # it changes with every version
        for content in _in_order(wim.contents):
            offset = begin + content.offset
            if offset < self._at or offset + content.stored > end:
                continue  # of a table that lies; its bytes belong to what is around them
            self._filler(offset - self._at)
            self._content(content)
        self.alone(end - self._at)

    def _filler(self, size: int) -> None:
        """Bytes of no file: metadata, tables, and those of earlier versions that are unused.

        Where a WIM was extended, the end of the version before is a filler of this one, and there
        it was a layer of its own.
        """
        if size * 8 >= self._average:
            self.alone(size)
        elif size:
            self._add(size)

    def _content(self, content: Content) -> None:
        if content.stored > self._most:
            self.alone(content.stored)
            return
        self._add(content.stored)
        is_border = int.from_bytes(content.sha1[:4]) * self._average < content.stored << 32
        if is_border and self._at - self._start >= self._least:
            self._close()

    def _add(self, size: int) -> None:
        if self._at - self._start + size > self._most:
            self._close()
        self._at += size

    def _close(self) -> None:
        if self._at > self._start:
            self.ends.append(self._at)

    @property
    def _start(self) -> int:
        return self.ends[-1] if self.ends else 0


def _in_order(contents: Iterable[Content]) -> list[Content]:
    return sorted(contents, key=lambda content: (content.offset, content.stored, content.sha1))
