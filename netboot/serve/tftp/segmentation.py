"""A window of DATA in one system call: UDP segmentation offload, with plain sends as fallback.

Linux cuts one large write into datagrams of equal size (UDP_SEGMENT, udp(7), kernel 4.18 and
later), so that a window costs one trip through the network stack instead of sixteen or sixty-four.
Not every path can do that (network cards without checksum offload, some bridges): a refused write
is repeated at once, block by block.
"""

import errno
import socket
from os import write, writev

from netboot.serve.tftp.block_table import BlockTable

SOL_UDP = 17
UDP_SEGMENT = 103
MOST_SEGMENTS = 64  # the kernel's own limit up to 6.6, 128 later
MOST_BYTES = 65507

_REFUSALS = {errno.EIO, errno.EINVAL, errno.EMSGSIZE, errno.EOPNOTSUPP, errno.ENOPROTOOPT}
_REMEMBERED = 1024


class Segmentation:
    """Remembers the clients that segmented writes cannot reach."""

    def __init__(self, *, enabled: bool = True) -> None:
        self.enabled = enabled
        self._refused: dict[str, None] = {}

    def switch_on(self, udp: socket.socket, ip: str, segment: int) -> bool:
        """Let the kernel cut writes into datagrams of `segment` bytes; False: send plainly."""
        if not self.enabled or ip in self._refused:
            return False
        try:
            udp.setsockopt(SOL_UDP, UDP_SEGMENT, segment)
        except OSError:
            self.enabled = False  # the kernel is too old
            return False
        return True

    def refused(self, ip: str) -> None:
        """A segmented write to this client failed: send it single blocks."""
        if len(self._refused) >= _REMEMBERED:
            del self._refused[next(iter(self._refused))]
        self._refused[ip] = None


class BlockSender:
    """Sends blocks of one file over one connected socket."""

    __slots__ = (
        "_fd",
        "_ip",
        "_packet",
        "_packets",
        "_per_send",
        "_piece",
        "_segmentation",
        "_socket",
    )

    def __init__(
        self,
        udp: socket.socket,
        table: BlockTable,
        *,
        segment: int,
        window: int,
        ip: str,
        segmentation: Segmentation,
    ) -> None:
        """`segment` is the size of a full packet: the block and its header."""
        self._socket = udp
        self._fd = udp.fileno()
        self._packet = table.packet
        self._packets = table.packets
        self._piece = table.piece
        self._ip = ip
        self._segmentation = segmentation
        self._per_send = 1
        if window > 1 and segmentation.switch_on(udp, ip, segment):
            self._per_send = max(1, min(MOST_SEGMENTS, MOST_BYTES // segment))

    def send(self, first: int, count: int) -> int:
        """Send blocks and return how many left: fewer if the socket's buffer is full.

        Raises OSError as the socket does; then the blocks count as lost.
        """
        if count <= self._per_send:
            return self._send_at_once(first, count)
        sent = 0
        while sent < count:
            some = min(count - sent, self._per_send)
            left = self._send_at_once(first + sent, some)
            sent += left
            if left < some:
                break
        return sent

    def send_one(self, block: int) -> int:
        """Send one block, as `send`: all that a lockstep transfer needs."""
        piece = self._piece(block)
        try:
            if piece is None:
                writev(self._fd, self._packet(block))
            else:
                write(self._fd, piece)
        except BlockingIOError:
            return 0
        return 1

    def _send_at_once(self, first: int, count: int) -> int:
        """Send up to `_per_send` blocks in one call, or block by block if that is refused."""
        if count == 1:
            return self.send_one(first)
        try:
            writev(self._fd, self._packets(first, count))
        except BlockingIOError:
            return 0
        except OSError as error:
            if error.errno not in _REFUSALS:
                raise
            self._socket.setsockopt(SOL_UDP, UDP_SEGMENT, 0)
            self._segmentation.refused(self._ip)
            self._per_send = 1
            return self.send(first, count)
        return count
