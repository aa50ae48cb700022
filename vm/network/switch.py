"""The lab's Ethernet switch, in user space: ports are sockets, frames are bytes.

A virtual machine's port is one end of a socket pair (QEMU's `-netdev dgram`), a namespace's port
is an AF_PACKET socket on a veth. It needs no tap device and no right to create one, and it can
record, drop or rewrite every frame (IEEE 802.1D learning, without a spanning tree).
"""

import contextlib
import errno
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

FRAME_LIMIT = 65536
SOCKET_BUFFER = 1 << 20
# Frames taken from one port before the others get their turn.
BURST = 64

Hook = Callable[[bytes], bytes | None]


def keep(frame: bytes) -> bytes | None:
    """The hook that changes nothing."""
    return frame


@dataclass(slots=True)
class Port:
    """One port. `hook` sees each frame that enters here; None drops it."""

    name: str
    socket: socket.socket
    hook: Hook = keep
    received: int = 0
    dropped: int = 0


class Switch:
    """A learning switch, run by a thread of its own between `start` and `close`."""

    def __init__(self, *, capture: Path | None = None) -> None:
        self._ports: dict[int, Port] = {}
        self._learned: dict[bytes, int] = {}
        self._poll = select.epoll()
        self._lock = threading.Lock()
        self._capture = CaptureFile(capture) if capture else None
        self._wake_out, self._wake_in = socket.socketpair()
        self._poll.register(self._wake_out, select.EPOLLIN)
        self._thread = threading.Thread(target=self._run, name="switch", daemon=True)
        self._stopping = False

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stopping = True
        with contextlib.suppress(OSError):
            self._wake_in.send(b"x")
        if self._thread.is_alive():
            self._thread.join()
        for port in list(self._ports.values()):
            self.unplug(port)
        self._poll.close()
        self._wake_in.close()
        self._wake_out.close()
        if self._capture:
            self._capture.close()

    def plug(self, name: str, link: socket.socket, *, hook: Hook = keep) -> Port:
        """Take `link` as a port; the switch owns it from now on."""
        link.settimeout(0)
        port = Port(name, link, hook)
        with self._lock:
            self._ports[link.fileno()] = port
        self._poll.register(link, select.EPOLLIN)
        return port

    def plug_pair(self, name: str, *, hook: Hook = keep) -> tuple[Port, socket.socket]:
        """A port, and the other end of its wire for the caller."""
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        for end in (near, far):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER)
        return self.plug(name, near, hook=hook), far

    def unplug(self, port: Port) -> None:
        """Remove a port and close it, if it is still there."""
        number = port.socket.fileno()
        if number < 0:
            return
        with self._lock:
            self._ports.pop(number, None)
            self._learned = {mac: at for mac, at in self._learned.items() if at != number}
        with contextlib.suppress(OSError):
            self._poll.unregister(number)
        port.socket.close()

    def _run(self) -> None:
        while not self._stopping:
            for number, _ in self._poll.poll():
                port = self._ports.get(number)
                if port is not None:
                    self._drain(number, port)

    def _drain(self, number: int, port: Port) -> None:
        for _ in range(BURST):
            try:
                frame = port.socket.recv(FRAME_LIMIT)
            except BlockingIOError:
                return
            except OSError as error:
                # The far end is gone: a machine was switched off. Its owner unplugs the port.
                if error.errno not in {errno.ECONNRESET, errno.EBADF, errno.ENETDOWN}:
                    raise
                return
            if len(frame) < 14:
                return
            port.received += 1
            changed = port.hook(frame)
            if changed is None:
                port.dropped += 1
                continue
            self._forward(number, changed)

    def _forward(self, number: int, frame: bytes) -> None:
        if self._capture:
            self._capture.write(frame)
        with self._lock:
            self._learned[frame[6:12]] = number
            known = self._learned.get(frame[:6])
            if known is not None and not frame[0] & 1:
                targets = [self._ports[known]] if known != number else []
            else:
                targets = [port for at, port in self._ports.items() if at != number]
        for target in targets:
            # A full queue drops the frame, as a switch does; a dead port is like no port.
            with contextlib.suppress(OSError):
                target.socket.send(frame)


class CaptureFile:
    """A pcap file (the classic format, microseconds, Ethernet), as Wireshark reads it."""

    def __init__(self, path: Path) -> None:
        self._stream: BinaryIO = path.open("wb")
        self._stream.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, FRAME_LIMIT, 1))

    def write(self, frame: bytes) -> None:
        seconds, micros = divmod(time.time_ns() // 1000, 1_000_000)
        self._stream.write(struct.pack("<IIII", seconds, micros, len(frame), len(frame)) + frame)

    def close(self) -> None:
        self._stream.close()
