"""What of a new WIM need not be moved, because a WIM that is held has it already.

Layers alone move too much where resources change their order: `wimlib-imagex --rebuild` puts
those that are stored uncompressed behind all others, and each layer that one came from is new.
The table of a new WIM (in its last layers) names each resource by SHA-1; those that are held are
copied, and the rest is fetched as ranges. SHA-1 is only a hint: a layer that was put together is
checked against its SHA-256, and fetched whole if it differs.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from netboot.images.versions.artifact import Layer
from netboot.images.versions.layers import Content

SMALLEST_COPY = 4096
"""Bytes between two ranges that are fetched along: a request costs about as much."""

Held = Mapping[tuple[bytes, int], tuple[str, int]]
"""By SHA-1 and stored size of a resource: the digest of a file that has it, and where."""


@dataclass(frozen=True, slots=True)
class Piece:
    """`size` bytes at `offset` of the new file: at `source_offset` of the file `source`.

    They are fetched if `source` is empty.
    """

    offset: int
    size: int
    source: str = ""
    source_offset: int = 0


def held_in(files: Iterable[tuple[str, Iterable[Content]]]) -> Held:
    """The resources of WIMs by digest."""
    return {
        (content.sha1, content.stored): (digest, content.offset)
        for digest, contents in files
        for content in contents
    }


def layers_with(layers: Sequence[Layer], offset: int, size: int) -> tuple[Layer, ...]:
    """Those with any of these bytes of the file, for example its table of resources."""
    return tuple(
        layer
        for layer in layers
        if layer.offset < offset + size and offset < layer.offset + layer.descriptor.size
    )


def plan_reuse(
    layers: Iterable[Layer], contents: Iterable[Content], held: Held
) -> Iterator[tuple[Layer, tuple[Piece, ...]]]:
    """How to put each of these layers together. `contents` are the resources of the new file."""
    ordered = sorted(contents, key=lambda content: content.offset)
    offsets = [content.offset for content in ordered]
    for layer in layers:
        start, end = layer.offset, layer.offset + layer.descriptor.size
        first, last = bisect_right(offsets, start) - 1, bisect_left(offsets, end)
        inside = ordered[max(first, 0) : last]
        copies = (_copy(content, start, end, held) for content in inside)
        pieces = _joined(_filled((copy for copy in copies if copy), start, end))
        yield layer, tuple(_joined(_without_small_copies(tuple(pieces))))


def _copy(content: Content, start: int, end: int, held: Held) -> Piece | None:
    """The part of a resource that is in a layer and held; None if there is none."""
    found = held.get((content.sha1, content.stored))
    first, last = max(start, content.offset), min(end, content.offset + content.stored)
    if found is None or first >= last:
        return None
    return Piece(first, last - first, found[0], found[1] + first - content.offset)


def _filled(copies: Iterable[Piece], start: int, end: int) -> Iterator[Piece]:
    """The copies, and what is to be fetched between them."""
    at = start
    for copy in copies:
        if copy.offset < at:
            continue  # a table that lies: two resources at one place
        if at < copy.offset:
            yield Piece(at, copy.offset - at)
        yield copy
        at = copy.offset + copy.size
    if at < end:
        yield Piece(at, end - at)


def _without_small_copies(pieces: Sequence[Piece]) -> Iterator[Piece]:
    """A small copy next to what is fetched is fetched, too: a layer needs few requests."""
    for place, piece in enumerate(pieces):
        around = (*pieces[max(place - 1, 0) : place], *pieces[place + 1 : place + 2])
        fetched = piece.size < SMALLEST_COPY and any(not one.source for one in around)
        yield Piece(piece.offset, piece.size) if fetched else piece


def _joined(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Pieces that follow each other in their source are one."""
    last: Piece | None = None
    for piece in pieces:
        if last is not None and _follows(last, piece):
            last = replace(last, size=last.size + piece.size)
            continue
        if last is not None:
            yield last
        last = piece
    if last is not None:
        yield last


def _follows(first: Piece, second: Piece) -> bool:
    if not first.source or not second.source:
        return first.source == second.source
    at = first.source_offset + first.size
    return (first.source, at) == (second.source, second.source_offset)
