"""The TFTP server: whole windows in one system call, and hard limits for unknown clients.

RFC 1350, 2347, 2348, 2349, 7440; RFC 1123 §4.2.3.5 (no answers to broadcasts). A name is looked
up (`resolve`), never turned into a path; content is opened by its digest. Writes are refused. Only
requests are answered on this port, so that two servers can never answer each other without end
(CVE-2024-2169).
"""

import contextlib
import socket
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

from netboot.boot.files.names import ContentRef, Refusal
from netboot.boot.told.events import Event, TransferRefused
from netboot.boot.told.ladder import OURS, STOPPED
from netboot.errors import ContentFault, ProtocolError
from netboot.protocols import tftp
from netboot.protocols.netascii import Netascii
from netboot.protocols.printable import printable
from netboot.protocols.tftp import Error, ErrorCode, ReadRequest, WriteRequest
from netboot.protocols.tftp_options import DEFAULT_BLOCK_SIZE, negotiate
from netboot.protocols.transfer import ReadTransfer
from netboot.protocols.transfer_actions import Failed, Finished, Outcome, Probed
from netboot.serve.content import OpenContent
from netboot.serve.tftp.block_table import BlockTables
from netboot.serve.tftp.limits import Bucket, Source, Sources, TftpLimits
from netboot.serve.tftp.segmentation import Segmentation
from netboot.serve.tftp.session import Asked, Session, Surroundings
from netboot.serve.tftp.steering import steer_by_source
from netboot.serve.tftp.tid_pool import (
    IP_PKTINFO,
    Arrival,
    Peer,
    TidPool,
    path_mtu,
    raise_descriptor_limit,
    receive_with_destination,
)
from netboot.serve.udp import Loop, open_udp

_REQUESTS_PER_WAKE = 64
_REPEATED_WITHIN = 1.0
_HEADERS = 32  # IP 20, UDP 8, TFTP 4
_NETASCII_REMEMBERED = 256

Resolve = Callable[[bytes, str], ContentRef | Refusal]


@dataclass(slots=True)
class TftpCounters:
    """Packets and transfers by outcome, since the start."""

    requests: int = 0
    malformed: int = 0
    dropped: int = 0
    refused: int = 0
    strays: int = 0
    unanswered: int = 0
    evicted: int = 0
    probes: int = 0
    finished: int = 0
    failed: int = 0


class TftpServer:
    """Serves reads on one address and port until the loop ends."""

    def __init__(
        self,
        *,
        loop: Loop,
        address: str,
        resolve: Resolve,
        open_content: OpenContent,
        emit: Callable[[Event], None],
        port: int = 69,
        interface: str = "",
        limits: TftpLimits | None = None,
        workers: int = 1,
        segmentation: bool = True,
    ) -> None:
        """Listen. Raises PortTaken, NotPermitted or InvalidInput.

        With several `workers` (processes, each with its own server) they share the port, and
        `limits` apply to all of them together. Without `segmentation` each block is sent by itself
        even where a whole window could leave at once.
        """
        self.counters = TftpCounters()
        self._loop, self._interface = loop, interface
        self._resolve = resolve
        self._open_content = open_content
        self._sessions: dict[Peer, Session] = {}
        self._unvalidated: OrderedDict[Session, None] = OrderedDict()
        self._netascii_sizes: dict[str, int] = {}
        raise_descriptor_limit()
        self._socket = open_udp(address, port, interface=interface, reuse_port=workers > 1)
        limits = limits or TftpLimits()
        if workers > 1:
            limits = limits.share(workers, by_source=steer_by_source(self._socket, workers))
        self._limits = limits
        self._sources = Sources(limits)
        self._reports = Bucket(limits.reports, 0.0)
        self._socket.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        loop.add_reader(self._socket.fileno(), self._readable)
        pool = TidPool(
            loop,
            address=address,
            interface=interface,
            ports=limits.tid_ports,
            receive=self._transfer_packet,
        )
        sending = Segmentation(enabled=segmentation)
        self._shared = Surroundings(loop, pool, sending, BlockTables(open_content), emit, self)

    @property
    def port(self) -> int:
        """The port that we listen on, also if the system chose it."""
        return int(self._socket.getsockname()[1])

    @property
    def sessions(self) -> int:
        """The number of transfers, unvalidated ones included."""
        return len(self._sessions)

    def close(self) -> None:
        now = time.monotonic()
        for session in list(self._sessions.values()):
            session.abandon(STOPPED, now)
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        self._shared.pool.close()

    def tell_running(self, _now: float) -> None:
        """Emit an event for each transfer, by which others see that this server lives."""
        for session in self._sessions.values():
            if session.welcome:
                self._shared.emit(session.continued())

    def _readable(self, now: float) -> None:
        with contextlib.suppress(BlockingIOError):
            for _ in range(_REQUESTS_PER_WAKE):
                arrival = receive_with_destination(self._socket, tftp.MAX_REQUEST + 1)
                self._arrived(arrival, now)

    def _arrived(self, arrival: Arrival, now: float) -> None:
        """A packet on the server's port: anything but a request is dropped."""
        ip, port = arrival.peer
        if arrival.broadcast or port == 0:
            self.counters.dropped += 1
            return
        try:
            request = tftp.from_bytes(arrival.packet)
        except ProtocolError:
            self.counters.malformed += 1
            return
        source = self._sources.get(ip, now)
        if port in self._limits.ports_refused:
            self._drop(request, ip, port, now)
            return
        match request:
            case ReadRequest():
                self.counters.requests += 1
                self._asked_to_read(request, arrival, source, now)
            case WriteRequest():
                refusal = Refusal("this server is read only", ErrorCode.ACCESS_VIOLATION)
                self._refuse(request.name, refusal, arrival, source, now)
            case _:
                self.counters.malformed += 1

    def _drop(self, request: tftp.Packet, ip: str, port: int, now: float) -> None:
        """No answer to the port of another service; the event names the port."""
        self.counters.dropped += 1
        if isinstance(request, ReadRequest) and self._reports.take(1, now):
            shown = printable(request.name[:255])
            reason = f"asked from port {port}, which belongs to another service: use another one"
            self._shared.emit(TransferRefused(at=time.time(), ip=ip, name=shown, reason=reason))

    def _asked_to_read(
        self, request: ReadRequest, arrival: Arrival, source: Source, now: float
    ) -> None:
        known = self._sessions.get(arrival.peer)
        if known is not None:
            if known.asked.packet == arrival.packet and (
                not known.welcome or now - known.started_at < _REPEATED_WITHIN
            ):
                known.repeat(now)  # a repeated packet; ignored once the transfer runs
                return
            known.abandon("the client sent a new request from the same port", now)
        asked = self._accept(request, arrival, source)
        if isinstance(asked, Refusal):
            self._refuse(request.name, asked, arrival, source, now)
        else:
            self._begin(request, asked, source, now)

    def _accept(self, request: ReadRequest, arrival: Arrival, source: Source) -> Asked | Refusal:
        if request.mode not in {"octet", "netascii"}:
            return Refusal("neither octet nor netascii", ErrorCode.ILLEGAL_OPERATION)
        validated = len(self._sessions) - len(self._unvalidated)
        if (
            source.validated >= self._limits.sessions_per_source
            or validated >= self._limits.sessions
        ):
            return Refusal("too many transfers at once", ErrorCode.NOT_DEFINED)
        ref = self._resolve(request.name, arrival.peer[0])
        if isinstance(ref, Refusal):
            return ref
        # Microsoft's boot manager ignores an ERROR once it has the OACK: it waits 37 s, and then
        # shows 0xc0000001, which blames the network (seen). So what cannot be sent is refused now.
        try:
            self._open_content(ref).close()
        except ContentFault as fault:
            return Refusal(f"{OURS}: {fault}", ErrorCode.NOT_DEFINED)
        netascii = request.mode == "netascii"
        size = self._netascii_size(ref) if netascii else ref.size
        if isinstance(size, Refusal):
            return size
        return Asked(arrival.peer, arrival.to, arrival.packet, ref, size, netascii)

    def _netascii_size(self, ref: ContentRef) -> int | Refusal:
        """The size of a file as netascii; only small ones are counted, and once."""
        known = self._netascii_sizes.get(ref.digest)
        if known is not None:
            return known
        if ref.size > self._limits.netascii:
            return Refusal("too large for netascii, ask for octet", ErrorCode.NOT_DEFINED)
        try:
            content = self._open_content(ref)
        except ContentFault as fault:
            return Refusal(f"{OURS}: {fault}", ErrorCode.NOT_DEFINED)
        try:
            size = Netascii(content.view).size
        finally:
            content.close()
        if len(self._netascii_sizes) >= _NETASCII_REMEMBERED:
            self._netascii_sizes.clear()
        self._netascii_sizes[ref.digest] = size
        return size

    def _begin(self, request: ReadRequest, asked: Asked, source: Source, now: float) -> None:
        options = self._limits.options
        if "blksize" in request.options:
            most = self._limits.block_size(asked.peer[0])
            if not self._limits.fragments:
                mtu = source.path_mtu(lambda: path_mtu(asked.peer, interface=self._interface), now)
                most = min(most, max(mtu - _HEADERS, DEFAULT_BLOCK_SIZE))
            most = min(most, source.fits(now) or most)
            options = replace(options, max_block_size=most)
        terms = negotiate(request.options, size=asked.size, limits=options)
        transfer = ReadTransfer(size=asked.size, terms=terms, timing=self._limits.timing)
        self._make_room(source, now)
        session = Session(asked, transfer, source, self._shared, now)
        self._sessions[asked.peer] = session
        self._unvalidated[session] = source.unvalidated[session] = None
        session.start(now)

    def _make_room(self, source: Source, now: float) -> None:
        """Evict the oldest unvalidated session over a limit, never one that has answered."""
        if len(source.unvalidated) >= self._limits.unvalidated_per_source:
            self._evict(next(iter(source.unvalidated)), now)
        if len(self._unvalidated) >= self._limits.unvalidated:
            self._evict(next(iter(self._unvalidated)), now)

    def _evict(self, session: Session, now: float) -> None:
        self.counters.evicted += 1
        self._forget(session)
        session.abandon("made room for others", now)

    def _forget(self, session: Session) -> None:
        del self._sessions[session.asked.peer]
        if session.welcome:
            session.source.validated -= 1
        else:
            del self._unvalidated[session], session.source.unvalidated[session]

    def _refuse(
        self, name: bytes, refusal: Refusal, arrival: Arrival, source: Source, now: float
    ) -> None:
        """Answer with an ERROR and emit the event, both with a limited rate."""
        self.counters.refused += 1
        if not source.errors.take(1, now):
            return
        text = _ERROR_TEXTS.get(refusal.code, "refused, see the server's journal")
        error = bytes(Error(refusal.code, text))
        pool, ip = self._shared.pool, arrival.peer[0]
        pool.send(pool.pick(), [error], peer=arrival.peer, to=arrival.to)
        if self._reports.take(1, now):
            shown, reason = printable(name[:255]), refusal.reason
            self._shared.emit(TransferRefused(at=time.time(), ip=ip, name=shown, reason=reason))

    def _transfer_packet(self, packet: bytes, peer: Peer, tid: int, now: float) -> None:
        """A packet on a port of the pool: the answer of an unvalidated client, or astray."""
        session = self._sessions.get(peer)
        if session is not None and session.tid == tid:
            session.receive(packet, now)
            return
        self.counters.strays += 1
        if packet[:2] == b"\0\5" or peer[1] < 1024:
            return  # an ERROR is never answered (RFC 1350 §7)
        if self._sources.get(peer[0], now).errors.take(1, now):
            error = Error(ErrorCode.UNKNOWN_TRANSFER_ID, "no such transfer")
            self._shared.pool.send(tid, [bytes(error)], peer=peer, to="")

    def welcomed(self, session: Session) -> None:
        """The client has answered: its address is real."""
        del self._unvalidated[session], session.source.unvalidated[session]
        session.source.validated += 1

    def ended(self, session: Session, outcome: Outcome, now: float) -> None:
        """Forget a session, and count its outcome."""
        if self._sessions.get(session.asked.peer) is not session:
            return  # evicted
        self._forget(session)
        match outcome:
            case Finished():
                self.counters.finished += 1
            case Probed():
                self.counters.probes += 1
            case Failed() if session.welcome:
                self.counters.failed += 1
            case Failed(reason):
                self.counters.unanswered += 1
                if self._reports.take(1, now):
                    self._shared.emit(session.failed(reason))


_ERROR_TEXTS: dict[int, str] = {
    ErrorCode.FILE_NOT_FOUND: "file not found",
    ErrorCode.ACCESS_VIOLATION: "access violation",
    ErrorCode.ILLEGAL_OPERATION: "illegal operation",
}
"""Fixed texts: nothing from the request goes back to the client."""
