"""Text as TFTP's netascii mode carries it: LF becomes CR LF, CR becomes CR NUL (RFC 1350 §1).

The encoded text is never in memory as a whole: its length is counted once, piece by piece, and
any part of it can then be read, as a retransmission reads an earlier block.
"""

from bisect import bisect_right
from itertools import accumulate

_PIECE = 64 * 1024


class Netascii:
    """A file as netascii; `size` is that of the encoded text."""

    def __init__(self, view: memoryview) -> None:
        self._view = view
        lengths = (
            len(piece) + piece.count(b"\n") + piece.count(b"\r")
            for piece in (bytes(view[at : at + _PIECE]) for at in range(0, len(view), _PIECE))
        )
        self._starts = list(accumulate(lengths, initial=0))
        self.size = self._starts[-1]
        self._held = -1
        self._encoded = b""

    def __getitem__(self, stretch: slice) -> bytes:
        """The encoded bytes from `start` up to `stop`, fewer at the end; no step."""
        start, stop, _ = stretch.indices(self.size)
        parts = []
        index = bisect_right(self._starts, start) - 1
        while start < stop:
            piece, offset = self._piece(index), start - self._starts[index]
            parts.append(piece[offset : offset + stop - start])
            start += len(parts[-1])
            index += 1
        return b"".join(parts)

    def _piece(self, index: int) -> bytes:
        if index != self._held:
            raw = bytes(self._view[index * _PIECE : (index + 1) * _PIECE])
            self._encoded = raw.replace(b"\r", b"\r\0").replace(b"\n", b"\r\n")
            self._held = index
        return self._encoded
