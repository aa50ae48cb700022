"""One client's transfer: the socket, open content, timer and events around `protocols.transfer`.

Until the client has answered, its address pays for every byte that we send it (`limits`).
"""

import errno
import select
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Protocol

from netboot.boot.files.names import ContentRef
from netboot.boot.told.events import (
    Event,
    TransferContinued,
    TransferFailed,
    TransferFinished,
    TransferStarted,
)
from netboot.boot.told.ladder import OURS
from netboot.errors import ContentFault
from netboot.protocols.tftp import Error, ErrorCode, OptionAck
from netboot.protocols.transfer import ReadTransfer
from netboot.protocols.transfer_actions import (
    Action,
    Failed,
    Finished,
    Outcome,
    SendBlocks,
    SendOptionAck,
)
from netboot.serve.tftp.block_table import BlockTable, BlockTables
from netboot.serve.tftp.limits import Source
from netboot.serve.tftp.segmentation import BlockSender, Segmentation
from netboot.serve.tftp.tid_pool import Peer, TidPool
from netboot.serve.udp import Loop

_PACKET = 64
_SMALL = 4
"""Up to so many blocks are sent after all clients of a round have been read (Loop.after_round)."""


class Owner(Protocol):
    """What a session needs of the server that made it."""

    def welcomed(self, session: "Session") -> None: ...

    def ended(self, session: "Session", outcome: Outcome, now: float) -> None: ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all sessions of a server share."""

    loop: Loop
    pool: TidPool
    segmentation: Segmentation
    tables: BlockTables
    emit: Callable[[Event], None]
    owner: Owner


@dataclass(frozen=True, slots=True)
class Asked:
    """An accepted request: the client, our address that it used (`to`), and its bytes.

    `size` is that on the wire: netascii makes text longer.
    """

    peer: Peer
    to: str
    packet: bytes
    ref: ContentRef
    size: int
    netascii: bool


class Session:
    """A transfer on its way to one client."""

    __slots__ = (
        "_alarm",
        "_due",
        "_fd",
        "_later",
        "_read",
        "_sender",
        "_shared",
        "_socket",
        "_suspected",
        "_table",
        "_unsent",
        "asked",
        "source",
        "started_at",
        "tid",
        "transfer",
        "welcome",
    )

    def __init__(
        self, asked: Asked, transfer: ReadTransfer, source: Source, shared: Surroundings, now: float
    ) -> None:
        self.asked = asked
        self.transfer = transfer
        self.source = source
        self.tid = shared.pool.pick()
        self.started_at = now
        self.welcome = False  # the client's address is validated
        self._shared = shared
        self._later = shared.loop.after_round
        self._table: BlockTable | None = None
        self._socket: socket.socket | None = None
        self._fd = -1
        self._read: Callable[[int], bytes]  # of the client's own socket
        self._sender: BlockSender | None = None
        self._due: SendBlocks | None = None
        self._unsent: tuple[int, int] | None = None
        self._alarm = inf
        self._suspected = False  # the blocks may be too large for the path

    def start(self, now: float) -> None:
        self._act(self.transfer.start(now), now)
        self._set_alarm()

    def repeat(self, now: float) -> None:
        self._act(self.transfer.repeat(now), now)

    def receive(self, packet: bytes, now: float) -> None:
        """A packet of this client, from the pool's socket."""
        if self._due is not None:
            self._send_due(now)  # the transfer reuses its action
        if self.transfer.outcome is None:
            self._act(self.transfer.receive(packet, now), now)
            self._set_alarm()

    def abandon(self, reason: str, now: float) -> None:
        """End the transfer from our side."""
        if self.transfer.outcome is None:
            self.transfer.outcome = Failed(reason)
            self._end(self.transfer.outcome, now)

    def _readable(self, now: float) -> None:
        """A packet on the client's own socket: the hot path of every transfer."""
        transfer = self.transfer
        try:
            action = transfer.receive(self._read(_PACKET), now)
            if action is None:
                return
            if not isinstance(action, SendBlocks) or self._sender is None or self._unsent:
                self._act(action, now)
            else:
                self._due = action
                if action.count <= _SMALL:
                    self._later(self._send_due)
                else:
                    self._send_due(now)
        except BlockingIOError:  # woken because there is room again
            if self._unsent:
                self._send_blocks(*self._unsent, now)
            return
        except OSError as error:
            self._socket_failed(error, now)
            return
        if transfer.deadline < self._alarm:
            self._set_alarm()

    def _send_due(self, now: float) -> None:
        due, sender, self._due = self._due, self._sender, None
        if due is None or sender is None:
            return  # the transfer has ended meanwhile
        first, count = due.first, due.count
        try:
            sent = sender.send_one(first) if count == 1 else sender.send(first, count)
        except OSError as error:
            self._socket_failed(error, now)
            return
        if sent < count:
            self._wait_for_room((first + sent, count - sent))

    def _act(self, action: Action | None, now: float) -> None:
        if self.transfer.validated and not self.welcome:
            self._welcome(now, done=self.transfer.outcome is not None)
        match action:
            case None:
                pass
            case SendBlocks():
                self._send_blocks(action.first, action.count, now)
            case SendOptionAck():
                self._send_from_pool([bytes(OptionAck(self.transfer.terms.accepted))], now)
            case outcome:
                self._end(outcome, now)

    def _send_blocks(self, first: int, count: int, now: float) -> None:
        try:
            sender = self._sender or self._make_sender()
            if sender is None:
                self._send_blocks_from_pool(first, count, now)
                return
            sent = sender.send(first, count)
        except ContentFault as fault:
            self._refuse(str(fault), now)
        except OSError as error:
            self._socket_failed(error, now)
        else:
            if sent < count or self._unsent:
                self._wait_for_room((first + sent, count - sent) if sent < count else None)

    def _make_sender(self) -> BlockSender | None:
        """How to send on the client's own socket, if it has one."""
        if self._socket is None:
            return None
        terms = self.transfer.terms
        self._sender = BlockSender(
            self._socket,
            self._open(),
            segment=terms.block_size + 4,
            window=terms.window,
            ip=self.asked.peer[0],
            segmentation=self._shared.segmentation,
        )
        return self._sender

    def _send_blocks_from_pool(self, first: int, count: int, now: float) -> None:
        """To a client without its own socket: not validated yet, or we are out of descriptors."""
        table = self._open()
        for block in range(first, first + count):
            self._send_from_pool(table.packet(block), now)

    def _send_from_pool(self, parts: "Sequence[bytes | memoryview]", now: float) -> None:
        if self.welcome or self.source.bytes.take(sum(map(len, parts)), now):
            self._shared.pool.send(self.tid, parts, peer=self.asked.peer, to=self.asked.to)

    def _open(self) -> BlockTable:
        if self._table is None:
            size, asked = self.transfer.terms.block_size, self.asked
            tables = self._shared.tables
            self._table = tables.open(asked.ref, block_size=size, netascii=asked.netascii)
        return self._table

    def _welcome(self, now: float, *, done: bool) -> None:
        """The client's address is validated: report the start and open its own socket."""
        self.welcome = True
        self._shared.owner.welcomed(self)
        self._shared.emit(self._started())
        if done:
            return
        asked, pool = self.asked, self._shared.pool
        own = pool.connect(self.tid, peer=asked.peer, to=asked.to, now=now)
        if own is not None:
            self._socket, self._fd, self._read = own, own.fileno(), own.recv
            self._shared.loop.add_reader(self._fd, self._readable)

    def _wait_for_room(self, unsent: tuple[int, int] | None) -> None:
        """The socket's buffer is full: continue as soon as there is room."""
        self._unsent = unsent
        events = select.EPOLLIN | select.EPOLLOUT if unsent else select.EPOLLIN
        self._shared.loop.add(self._fd, events, self._readable)

    def _socket_failed(self, error: OSError, now: float) -> None:
        """ECONNREFUSED (ICMP): the client's port is closed. Most others count as a loss."""
        if self.transfer.outcome is not None:
            return
        if error.errno == errno.ECONNREFUSED:
            self._act(self.transfer.gone(now), now)
        elif error.errno == errno.EFAULT:  # the mapping ends before the file that was published
            self._refuse(f"{self.asked.ref.name} was cut off while it was sent", now)

    def _refuse(self, reason: str, now: float) -> None:
        """The content is damaged: report it and end."""
        text = "content not available, see the server's journal"
        self._send_from_pool([bytes(Error(ErrorCode.NOT_DEFINED, text))], now)
        self.abandon(f"{OURS}: {reason}", now)

    def _set_alarm(self) -> None:
        """Set a timer for the deadline, unless there is an earlier one."""
        deadline = self.transfer.deadline
        if self.transfer.outcome is None and deadline < self._alarm:
            self._alarm = deadline
            self._shared.loop.at(deadline, self._wake)

    def _wake(self, now: float) -> None:
        if self.transfer.outcome is not None or now < self._alarm:
            return  # ended, or a timer that an earlier one has replaced
        self._alarm = inf
        self._act(self.transfer.tick(now), now)
        self._set_alarm()
        self._mind_size(now)

    def _mind_size(self, now: float) -> None:
        """Note blocks that seem too large for the path: all were repeated, none was answered."""
        transfer = self.transfer
        if self._suspected or not self.welcome or transfer.acknowledged:
            return
        if transfer.resent > transfer.sent:
            self._suspected = True
            self.source.met_silence(transfer.terms.block_size, now)

    def _end(self, outcome: Outcome, now: float) -> None:
        if self._socket is not None:
            self._shared.loop.remove_reader(self._fd)
            self._socket.close()
        self._sender = None
        if self._table is not None:
            self._shared.tables.close(self._table)
            self._table = None
        if self.transfer.acknowledged:
            self.source.arrived(self.transfer.terms.block_size)
        if self.welcome:
            match outcome:
                case Finished(resent):
                    self._shared.emit(self._finished(now - self.started_at, resent))
                case Failed(reason):
                    self._shared.emit(self.failed(reason))
        self._shared.owner.ended(self, outcome, now)

    def _started(self) -> TransferStarted:
        ref, terms = self.asked.ref, self.transfer.terms
        return TransferStarted(
            at=time.time(),
            ip=self.asked.peer[0],
            name=ref.name,
            size=ref.size,
            digest=ref.digest,
            block_size=terms.block_size,
            window=terms.window,
            image=ref.image,
            version=ref.version,
        )

    def _finished(self, seconds: float, resent: int) -> TransferFinished:
        ref = self.asked.ref
        return TransferFinished(
            at=time.time(),
            ip=self.asked.peer[0],
            name=ref.name,
            size=ref.size,
            seconds=seconds,
            resent=resent,
            image=ref.image,
            version=ref.version,
        )

    def continued(self) -> TransferContinued:
        """The facts of a running transfer."""
        ref = self.asked.ref
        return TransferContinued(
            at=time.time(),
            ip=self.asked.peer[0],
            name=ref.name,
            size=ref.size,
            sent=self._sent(),
            image=ref.image,
            version=ref.version,
        )

    def failed(self, reason: str) -> TransferFailed:
        ref = self.asked.ref
        return TransferFailed(
            at=time.time(),
            ip=self.asked.peer[0],
            name=ref.name,
            reason=reason,
            sent=self._sent(),
            image=ref.image,
            version=ref.version,
        )

    def _sent(self) -> int:
        """The bytes that the client has."""
        transfer = self.transfer
        return min(transfer.acknowledged * transfer.terms.block_size, self.asked.ref.size)
