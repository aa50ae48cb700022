"""Daemons on loopback for tests: what they serve, their loop on a thread, and plain clients."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from queue import Empty, Queue
from typing import TypeVar

from netboot.boot.files.names import ContentRef, Refusal
from netboot.boot.told.events import Event
from netboot.errors import BlobMissing
from netboot.protocols.tftp import ReadRequest
from netboot.protocols.tftp_options import OptionLimits
from netboot.serve.http.httpd import HttpServer
from netboot.serve.http.limits import HttpLimits
from netboot.serve.http.message import Answer
from netboot.serve.tftp.limits import TftpLimits
from netboot.serve.tftp.tftpd import TftpServer
from netboot.serve.udp import Loop
from tests.support.joined_machines import Client

E = TypeVar("E", bound=Event)

ALL_FROM_ONE_ADDRESS = TftpLimits(
    options=OptionLimits(max_block_size=65464),
    fragments=True,
    unvalidated_per_source=4096,
    unvalidated_bytes_per_source=1 << 30,
    sessions_per_source=4096,
    errors_per_source=10_000,
    reports=10_000,
)
"""For tests whose clients all live on 127.0.0.1."""


@dataclass
class MemoryContent:
    """A file in memory, as the daemons read it."""

    view: memoryview
    fd: int
    size: int
    files: "Files"
    open: bool = True

    def close(self) -> None:
        assert self.open, "closed twice"
        self.open = False
        self.view.release()
        os.close(self.fd)
        self.files.opened -= 1


@dataclass
class Files:
    """Names and their bytes; a name in `broken` exists but can't be opened."""

    bytes_of: dict[str, bytes] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    asked: list[tuple[bytes | str, str]] = field(default_factory=list)
    opened: int = 0

    def resolve(self, name: bytes, ip: str) -> ContentRef | Refusal:
        """For TFTP."""
        self.asked.append((name, ip))
        return self._ref(name.decode("ascii", "replace"))

    def resolve_url(self, path: str) -> ContentRef | Refusal:
        """For HTTP: the last part of the path is the name."""
        self.asked.append((path, ""))
        return self._ref(path.rsplit("/", 1)[1])

    def open_content(self, ref: ContentRef) -> MemoryContent:
        """The bytes of a digest. Raises BlobMissing."""
        if ref.name in self.broken:
            raise BlobMissing(f"the blob of {ref.name} is gone")
        content = next(c for c in self.bytes_of.values() if digest(c) == ref.digest)
        fd = os.memfd_create(ref.name)
        os.write(fd, content) if content else None
        self.opened += 1
        return MemoryContent(memoryview(content), fd, len(content), self)

    def _ref(self, name: str) -> ContentRef | Refusal:
        if name not in self.bytes_of:
            return Refusal("no such file in this version")
        content = self.bytes_of[name]
        return ContentRef(name, digest(content), len(content), "Lab PE x64", 7)


def digest(content: bytes) -> str:
    return "sha256:" + sha256(content).hexdigest()


@dataclass
class Told:
    """What a daemon told the journal."""

    queue: Queue[Event] = field(default_factory=Queue)

    def next(self, kind: type[E], seconds: float = 30.0) -> E:
        """The next event of this kind; others are passed over."""
        while True:
            try:
                event = self.queue.get(timeout=seconds)
            except Empty:
                raise AssertionError(f"no {kind.__name__} came") from None
            if isinstance(event, kind):
                return event

    def all(self) -> list[Event]:
        """What was told and not yet taken."""
        events = []
        while not self.queue.empty():
            events.append(self.queue.get_nowait())
        return events


@contextmanager
def looping(loop: Loop) -> Iterator[Loop]:
    """The loop runs on a thread of its own."""
    thread = threading.Thread(target=loop.run)
    thread.start()
    try:
        yield loop
    finally:
        loop.stop()
        thread.join()


@dataclass
class Tftpd:
    """A TFTP server that runs on 127.0.0.1."""

    server: TftpServer
    files: Files
    told: Told
    loop: Loop

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.server.port)

    def until(self, condition: Callable[[], bool], seconds: float = 30.0) -> None:
        """Wait for something that the server will do."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it did not happen"
            time.sleep(0.002)


@contextmanager
def running_tftpd(
    files: Files, *, limits: TftpLimits = ALL_FROM_ONE_ADDRESS, segmentation: bool = True
) -> Iterator[Tftpd]:
    """A TftpServer on a free port of 127.0.0.1."""
    loop, told = Loop(), Told()
    server = TftpServer(
        loop=loop,
        address="127.0.0.1",
        port=0,
        resolve=files.resolve,
        open_content=files.open_content,
        emit=told.queue.put,
        limits=limits,
        segmentation=segmentation,
    )
    with looping(loop):
        yield Tftpd(server, files, told, loop)
    server.close()
    loop.close()
    assert files.opened == 0, "a content was not closed"


@contextmanager
def running_httpd(
    answer: Answer,
    *,
    limits: HttpLimits | None = None,
    is_preferred: Callable[[str], bool] = lambda _ip: False,
) -> Iterator[tuple[HttpServer, tuple[str, int]]]:
    """An HttpServer on a free port of 127.0.0.1, and its address."""
    loop = Loop()
    server = HttpServer(
        loop=loop,
        address="127.0.0.1",
        port=0,
        answer=answer,
        limits=limits,
        is_preferred=is_preferred,
    )
    with looping(loop):
        yield server, ("127.0.0.1", server.port)
    server.close()
    loop.close()


def udp_client(seconds: float = 3.0) -> socket.socket:
    """A client's socket on loopback."""
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    udp.settimeout(seconds)
    return udp


def fetch(
    address: tuple[str, int],
    name: str,
    *,
    block_size: int | None = None,
    window: int | None = None,
    mode: str = "octet",
    per_block: bool = False,
    seconds: float = 20.0,
) -> bytes:
    """The file as a plain client of ours gets it. Raises AssertionError with the server's words."""
    options = {}
    if block_size is not None:
        options["blksize"] = b"%d" % block_size
    if window is not None:
        options["windowsize"] = b"%d" % window
    client = Client(block_size=512, window=1, per_block=per_block, timeout=1.0)
    client.request = bytes(ReadRequest(name.encode(), mode, options))
    end = time.monotonic() + seconds
    with udp_client(0.5) as udp:
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
        udp.sendto(client.request, address)
        peer = address
        while not client.done:
            assert time.monotonic() < end, f"{name}: {len(client.received)} bytes came, then none"
            try:
                packet, peer = udp.recvfrom(65535)
            except TimeoutError:
                answers = client.tick(time.monotonic())
            else:
                answers = client.receive(packet, time.monotonic())
            assert not client.failed, client.failed
            for answer in answers:
                udp.sendto(answer, peer)
    return bytes(client.received)
