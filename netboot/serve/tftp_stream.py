"""One client's transfer on a socket of its own, from his first ACK to the end.

This is where the bytes flow: `protocols.transfer` decides, here are the socket, the open file and
the alarm clock. A stream may live in the server's process or in another one (`tftp_pumps`).
"""

import contextlib
import errno
import os
import select
import socket
from collections.abc import Callable
from dataclasses import dataclass

from netboot.boot.files import ContentRef
from netboot.errors import ContentFault
from netboot.protocols.tftp import Error, ErrorCode
from netboot.protocols.transfer import Action, Failed, Outcome, ReadTransfer, SendBlocks
from netboot.serve.alarm import Alarm
from netboot.serve.block_table import BlockTable, BlockTables
from netboot.serve.segmentation import BlockSender, Segmentation
from netboot.serve.tid_pool import Peer
from netboot.serve.udp import Loop

UNAVAILABLE = bytes(Error(ErrorCode.NOT_DEFINED, "content not available, see the server's journal"))
_PACKET = 64


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it was accepted: by whom, at which of our addresses, in which bytes.

    `size` is what goes over the wire: netascii makes text longer.
    """

    peer: Peer
    to: str
    packet: bytes
    ref: ContentRef
    size: int
    netascii: bool


@dataclass(frozen=True, slots=True)
class Course:
    """What all streams of a process share."""

    loop: Loop
    segmentation: Segmentation
    tables: BlockTables


class Stream:
    """A transfer that flows. It closes its socket at its end, then calls `ended`."""

    __slots__ = (
        "_alarm",
        "_asked",
        "_course",
        "_ended",
        "_fd",
        "_sender",
        "_socket",
        "_table",
        "_unsent",
        "transfer",
    )

    def __init__(
        self,
        own: socket.socket,
        asked: Asked,
        transfer: ReadTransfer,
        course: Course,
        ended: Callable[["Stream", Outcome, float], None],
    ) -> None:
        self.transfer = transfer
        self._asked = asked
        self._course = course
        self._ended = ended
        self._socket = own
        self._fd = own.fileno()
        self._alarm = Alarm(course.loop, self._wake)
        self._table: BlockTable | None = None
        self._sender: BlockSender | None = None
        self._unsent: tuple[int, int] | None = None

    def begin(self, action: Action | None, now: float) -> None:
        """Carry out what is to be done first, then whatever the client's packets ask for."""
        self._course.loop.add_reader(self._fd, self._readable)
        self._act(action, now)
        self._alarm.set(self.transfer.deadline)

    def stop(self, reason: str, now: float) -> None:
        """End the transfer from our side."""
        if self.transfer.outcome is None:
            self.transfer.outcome = Failed(reason)
            self._end(self.transfer.outcome, now)

    def receive(self, packet: bytes, now: float) -> None:
        """A packet of this client that came by another way."""
        if self.transfer.outcome is None:
            self._act(self.transfer.receive(packet, now), now)
            self._alarm.set(self.transfer.deadline)

    def _readable(self, now: float) -> None:
        """A packet on the client's socket. Every byte that we serve passes here."""
        transfer, sender = self.transfer, self._sender
        try:
            action = transfer.receive(os.read(self._fd, _PACKET), now)
            if action is None:
                return
            if not isinstance(action, SendBlocks) or sender is None or self._unsent:
                self._act(action, now)
            elif (sent := sender.send(action.first, action.count)) < action.count:
                self._wait_for_room((action.first + sent, action.count - sent))
        except BlockingIOError:  # woken because there is room again
            if self._unsent:
                self._send(*self._unsent, now)
            return
        except OSError as error:
            self._failed(error, now)
            return
        if transfer.deadline < self._alarm.at:
            self._alarm.set(transfer.deadline)

    def _act(self, action: Action | None, now: float) -> None:
        if isinstance(action, SendBlocks):
            self._send(action.first, action.count, now)
        if self.transfer.outcome is not None:
            self._end(self.transfer.outcome, now)

    def _send(self, first: int, count: int, now: float) -> None:
        try:
            sender = self._sender or self._make_sender()
            sent = sender.send(first, count)
        except ContentFault as fault:
            self.transfer.outcome = Failed(str(fault))
            with contextlib.suppress(OSError):
                self._socket.send(UNAVAILABLE)
        except OSError as error:
            self._failed(error, now)
        else:
            if sent < count or self._unsent:
                self._wait_for_room((first + sent, count - sent) if sent < count else None)

    def _make_sender(self) -> BlockSender:
        """Open the file. Raises ContentFault."""
        asked, terms = self._asked, self.transfer.terms
        self._table = self._course.tables.open(
            asked.ref, block_size=terms.block_size, netascii=asked.netascii
        )
        self._sender = BlockSender(
            self._socket,
            self._table,
            segment=terms.block_size + 4,
            window=terms.window,
            ip=asked.peer[0],
            segmentation=self._course.segmentation,
        )
        return self._sender

    def _wait_for_room(self, unsent: tuple[int, int] | None) -> None:
        """The socket's buffer is full: go on where we stopped, as soon as there is room."""
        self._unsent = unsent
        events = select.EPOLLIN | select.EPOLLOUT if unsent else select.EPOLLIN
        self._course.loop.add(self._fd, events, self._readable)

    def _failed(self, error: OSError, now: float) -> None:
        """ICMP told us that the client's port is closed; all else counts as loss on the way."""
        if error.errno == errno.ECONNREFUSED and self.transfer.outcome is None:
            self._end(self.transfer.gone(now), now)

    def _wake(self, now: float) -> None:
        if self.transfer.outcome is None:
            self._act(self.transfer.tick(now), now)
            self._alarm.set(self.transfer.deadline)

    def _end(self, outcome: Outcome, now: float) -> None:
        if self._fd < 0:
            return
        self._course.loop.remove_reader(self._fd)
        self._fd = -1
        self._socket.close()
        self._sender = None
        if self._table is not None:
            self._course.tables.close(self._table)
            self._table = None
        self._ended(self, outcome, now)
