"""A TFTP server's machine and a client's, joined by a link that loses, repeats and reorders.

Time is virtual: a transfer of minutes runs in milliseconds. The client is written from the RFCs,
knows nothing of the server's code, and comes in the two manners that real ones have: one ACK for
a gap, then patience (atftp, Windows' boot manager), or one ACK for every block that is not the
next (EDK2).
"""

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from netboot.protocols.round_trip import Timing
from netboot.protocols.tftp import Ack, Data, Error, OptionAck, ReadRequest, from_bytes
from netboot.protocols.tftp_options import OptionLimits, negotiate
from netboot.protocols.transfer import ReadTransfer
from netboot.protocols.transfer_actions import (
    Action,
    Failed,
    Finished,
    Outcome,
    Probed,
    SendBlocks,
    SendOptionAck,
)

GENEROUS = OptionLimits(max_block_size=65464, max_window=65535, max_flight=1 << 30)


@dataclass
class Link:
    """One direction. Chances are per packet, seconds are virtual."""

    loss: float = 0.0
    repeat: float = 0.0
    reorder: float = 0.0
    delay: float = 0.0005
    late: float = 0.02

    def deliveries(self, dice: random.Random) -> list[float]:
        """After which times this packet arrives: never, once or twice."""
        copies = 2 if dice.random() < self.repeat else 1
        times = []
        for _ in range(copies):
            if dice.random() < self.loss:
                continue
            extra = self.late * dice.random() if dice.random() < self.reorder else 0.0
            times.append(self.delay + extra)
        return times


class Client:
    """A client of RFC 1350, 2347, 2348 and 7440; `per_block` has it answer as EDK2 does."""

    def __init__(self, *, block_size: int, window: int, per_block: bool, timeout: float) -> None:
        self.block_size = block_size
        self.window = window
        self.per_block = per_block
        self.timeout = timeout
        self.received = bytearray()
        self.last = 0  # the last block that came in order
        self.since_ack = 0
        self.gap_told = False
        self.done = False
        self.failed = ""
        self.deadline = timeout
        self.heard = False
        self.request = b""

    def receive(self, packet: bytes, now: float) -> list[bytes]:
        """What the client answers."""
        self.heard = True
        match from_bytes(packet):
            case OptionAck(options):
                if self.last == 0:
                    self.block_size = int(options.get("blksize", b"512"))
                    self.window = int(options.get("windowsize", b"1"))
                    return self._ack(now)
            case Data(block, payload):
                return self._data(block, payload, now)
            case Error(_, message):
                self.failed = message
        return []

    def tick(self, now: float) -> list[bytes]:
        """What the client does about silence."""
        self.deadline = now + self.timeout
        return [] if self.done else self._ack(now) if self.heard else [self.request]

    def _data(self, block: int, payload: bytes, now: float) -> list[bytes]:
        if block != self.last + 1 & 0xFFFF:
            if self.per_block or self.window == 1 or not self.gap_told or self.done:
                self.gap_told = True
                return self._ack(now)
            return []
        self.last += 1
        self.received += payload
        self.gap_told = False
        self.since_ack += 1
        self.deadline = now + self.timeout
        self.done = len(payload) < self.block_size
        return self._ack(now) if self.done or self.since_ack >= self.window else []

    def _ack(self, now: float) -> list[bytes]:
        self.since_ack = 0
        self.deadline = now + self.timeout
        return [bytes(Ack(self.last))]


@dataclass
class Played:
    """How a transfer went."""

    outcome: Outcome | None
    client: Client
    seconds: float
    data_packets: int
    blocks: int
    transfer: ReadTransfer
    sent: list[int] = field(default_factory=list)


class Wire:
    """Plays one transfer to its end, or to `limit` seconds."""

    def __init__(
        self, content: bytes, client: Client, *, to_client: Link, to_server: Link, seed: int = 0
    ) -> None:
        self.content = content
        self.client = client
        self.links = {"client": to_client, "server": to_server}
        self.dice = random.Random(seed)
        self.queue: list[tuple[float, int, str, bytes]] = []
        self.order = count()
        self.now = 0.0
        self.data_packets = 0
        self.sent: list[int] = []

    def play(self, transfer: ReadTransfer, limit: float = 600.0) -> Played:
        """Until the server's machine has an outcome, or time is over."""
        self._do(transfer, transfer.start(0.0))
        while transfer.outcome is None and self.now < limit:
            timers = [transfer.deadline, self.client.deadline]
            arrival = self.queue[0][0] if self.queue else float("inf")
            if arrival <= min(timers):
                self._arrive(transfer)
            elif transfer.deadline <= self.client.deadline:
                self.now = max(self.now, transfer.deadline)
                self._do(transfer, transfer.tick(self.now))
            else:
                self.now = max(self.now, self.client.deadline)
                self._answer(self.client.tick(self.now))
        blocks = len(self.content) // transfer.terms.block_size + 1
        return Played(
            transfer.outcome,
            self.client,
            self.now,
            self.data_packets,
            blocks,
            transfer,
            self.sent,
        )

    def _arrive(self, transfer: ReadTransfer) -> None:
        self.now, _, whom, packet = heapq.heappop(self.queue)
        if whom == "client":
            self._answer(self.client.receive(packet, self.now))
        elif packet[:2] == b"\0\1":
            self._do(transfer, transfer.repeat(self.now))
        else:
            self._do(transfer, transfer.receive(packet, self.now))

    def _do(self, transfer: ReadTransfer, action: Action | None) -> None:
        match action:
            case SendOptionAck():
                self._send("client", bytes(OptionAck(transfer.terms.accepted)))
            case SendBlocks(first=first, count=many):
                size = transfer.terms.block_size
                assert 1 <= first <= first + many - 1 <= transfer.last
                for block in range(first, first + many):
                    payload = self.content[(block - 1) * size : block * size]
                    self.data_packets += 1
                    self.sent.append(block)
                    self._send("client", bytes(Data(block & 0xFFFF, payload)))
            case None | Finished() | Probed() | Failed():
                pass

    def _answer(self, packets: list[bytes]) -> None:
        for packet in packets:
            self._send("server", packet)

    def _send(self, whom: str, packet: bytes) -> None:
        for after in self.links[whom].deliveries(self.dice):
            heapq.heappush(self.queue, (self.now + after, next(self.order), whom, packet))


def play(
    content: bytes,
    *,
    block_size: int | None = 512,
    window: int | None = None,
    per_block: bool = False,
    to_client: Link | None = None,
    to_server: Link | None = None,
    seed: int = 0,
    timing: Timing | None = None,
    client_timeout: float = 1.0,
    change: Callable[[Wire], None] = lambda wire: None,
) -> Played:
    """One transfer of `content` on these terms, over these links."""
    options = {}
    if block_size is not None:
        options["blksize"] = b"%d" % block_size
    if window is not None:
        options["windowsize"] = b"%d" % window
    terms = negotiate(options, size=len(content), limits=GENEROUS)
    client = Client(block_size=512, window=1, per_block=per_block, timeout=client_timeout)
    client.request = bytes(ReadRequest(b"file", "octet", options))
    wire = Wire(
        content, client, to_client=to_client or Link(), to_server=to_server or Link(), seed=seed
    )
    change(wire)
    return wire.play(ReadTransfer(size=len(content), terms=terms, timing=timing))
