"""A window of DATA in one system call: UDP segmentation offload, with plain sends behind it.

Linux cuts one large write into datagrams of equal size (UDP_SEGMENT, kernel 4.18 and later), so
that a window costs one trip through the network stack in place of sixteen or sixty-four. Whether
a path can do that is found out by trying: a refused write goes again at once, block by block.

Law: no byte is copied on our side. Each datagram is a header from a shared table and a slice of
the file's mapping.
"""

import errno
import os
import socket
from typing import Protocol

SOL_UDP = 17
UDP_SEGMENT = 103
MOST_SEGMENTS = 64  # the kernel's own limit up to 6.6, 128 later
MOST_BYTES = 65507

_REFUSALS = {errno.EIO, errno.EINVAL, errno.EMSGSIZE, errno.EOPNOTSUPP, errno.ENOPROTOOPT}
_REMEMBERED = 1024

HEADERS = [b"\0\3" + number.to_bytes(2, "big") for number in range(65536)]


class Blocks(Protocol):
    """What can be cut into blocks: a mapping of the file, or its netascii form."""

    def __getitem__(self, stretch: slice, /) -> "bytes | memoryview": ...


class Segmentation:
    """Remembers which clients cannot be reached by segmented writes."""

    def __init__(self, *, enabled: bool = True) -> None:
        self.enabled = enabled
        self._refused: dict[str, None] = {}

    def switch_on(self, udp: socket.socket, ip: str, segment: int) -> bool:
        """Let writes to `udp` be cut into datagrams of `segment` bytes; False: send plainly."""
        if not self.enabled or ip in self._refused:
            return False
        try:
            udp.setsockopt(SOL_UDP, UDP_SEGMENT, segment)
        except OSError:
            self.enabled = False  # the kernel does not know it; it will not learn
            return False
        return True

    def refused(self, ip: str) -> None:
        """A segmented write to this client failed: from now on plainly."""
        if len(self._refused) >= _REMEMBERED:
            del self._refused[next(iter(self._refused))]
        self._refused[ip] = None


class BlockSender:
    """Sends blocks of one file over one connected socket."""

    __slots__ = ("_block_size", "_blocks", "_fd", "_ip", "_per_send", "_segmentation", "_socket")

    def __init__(
        self,
        udp: socket.socket,
        blocks: Blocks,
        *,
        block_size: int,
        window: int,
        ip: str,
        segmentation: Segmentation,
    ) -> None:
        self._socket = udp
        self._fd = udp.fileno()
        self._blocks = blocks
        self._block_size = block_size
        self._ip = ip
        self._segmentation = segmentation
        self._per_send = 1
        if window > 1 and segmentation.switch_on(udp, ip, block_size + 4):
            self._per_send = max(1, min(MOST_SEGMENTS, MOST_BYTES // (block_size + 4)))

    def send(self, first: int, count: int) -> int:
        """Send blocks and say how many left: fewer when the socket's buffer is full.

        Raises OSError as the socket does; then the blocks count as lost on the way.
        """
        sent = 0
        while sent < count:
            some = min(count - sent, self._per_send)
            try:
                os.writev(self._fd, self._datagrams(first + sent, some))
            except BlockingIOError:
                break
            except OSError as error:
                if self._per_send == 1 or error.errno not in _REFUSALS:
                    raise
                self._send_plainly_from_now_on()
                continue
            sent += some
        return sent

    def send_one(self, block: int) -> int:
        """Send one block; as `send(block, 1)`, for clients that take one at a time."""
        stop = block * self._block_size
        try:
            os.writev(
                self._fd, (HEADERS[block & 0xFFFF], self._blocks[stop - self._block_size : stop])
            )
        except BlockingIOError:
            return 0
        return 1

    def _datagrams(self, first: int, count: int) -> "list[bytes | memoryview]":
        """Header and payload in turn."""
        size, blocks = self._block_size, self._blocks
        wire = first & 0xFFFF
        headers = HEADERS[wire : wire + count]
        if len(headers) < count:
            headers += HEADERS[: count - len(headers)]
        parts: list[bytes | memoryview] = [b""] * (2 * count)
        parts[::2] = headers
        start = (first - 1) * size
        parts[1::2] = [blocks[at : at + size] for at in range(start, start + count * size, size)]
        return parts

    def _send_plainly_from_now_on(self) -> None:
        self._socket.setsockopt(SOL_UDP, UDP_SEGMENT, 0)
        self._segmentation.refused(self._ip)
        self._per_send = 1
