"""The network of `netboot check`: sends requests on one interface and collects the answers.

It uses ordinary sockets, so that a server on this host hears it too: a frame that a packet socket
sends does not come back in.
"""

import errno
import select
import socket
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Final, Self

from netboot.diagnose.asking.answers import ACK, Reply, read_reply
from netboot.diagnose.asking.firmware import Machine
from netboot.diagnose.asking.raw_port import RawPort
from netboot.errors import NotPermitted, PortTaken

SERVER_PORT: Final = 67
BOOT_SERVER_PORT: Final = 4011
_CLIENT_PORT: Final = 68
_LARGEST: Final = 4096
_BROADCAST: Final = "255.255.255.255"


class Wire:
    """A client's sockets on `interface`, where this host has `address`.

    `beside_client`: another program has the client port, and we share it.
    """

    def __init__(self, interface: str, address: str) -> None:
        """Open port 68, and 67 (for answers to a relay) if it is free. Raises NotPermitted."""
        self.address = address
        self._client: socket.socket | RawPort
        self.beside_client = False
        try:
            self._client = _open(interface, _CLIENT_PORT)
        except PortTaken:  # usually by this host's own DHCP client
            self._client = _open_raw(interface, address)
            self.beside_client = True
        self._relay: socket.socket | None = None
        with suppress(PortTaken):
            self._relay = _open(interface, SERVER_PORT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        if self._relay is not None:
            self._relay.close()

    @property
    def can_relay(self) -> bool:
        """Whether we can simulate a relay: port 67 is ours."""
        return self._relay is not None

    def ask_as_firmware(
        self,
        machines: Sequence[Machine],
        waits: Sequence[float],
        unanswered: Callable[[Sequence[Reply]], Collection[Machine]],
        *,
        hopeless: Callable[[Machine], bool] = lambda _: False,
        at_once: bool = False,
    ) -> list[Reply]:
        """All offers to `machines`; those `unanswered` after one of the `waits` ask again.

        The first wait is waited out, because several servers may answer; with `at_once` it ends
        with the answer that leaves nobody unanswered, as later ones do. A machine that is
        `hopeless` by then does not ask again. The `after` of a reply is counted from the first
        request.
        """
        heard: list[Reply] = []
        began, asking, first = time.monotonic(), list(machines), True

        def enough(reply: Reply) -> bool:
            heard.append(reply)
            waiting = set(unanswered(heard))
            return (at_once or not first) and waiting.isdisjoint(asking)

        for wait in waits:
            since = time.monotonic() - began
            for machine in asking:
                request = machine.discover(int(since))
                self._client.sendto(request, (_BROADCAST, SERVER_PORT))
            self._hear(self._client, wait, enough, since=since)
            asking = [machine for machine in unanswered(heard) if not hopeless(machine)]
            first = False
            if not asking:
                break
        return heard

    def ask_boot_server(self, request: bytes, server: str, xid: int, seconds: float) -> list[Reply]:
        """The replies of `server` on port 4011, up to its first answer to `xid`.

        Broadcast to port 67 if `server` is the broadcast address (PXE 2.1 §2.2.3).
        """
        port = SERVER_PORT if server == _BROADCAST else BOOT_SERVER_PORT
        try:
            self._client.sendto(request, (server, port))
        except OSError:  # no way to that address from here: as silent as a server that is off
            return []
        return self._hear(
            self._client, seconds, lambda reply: reply.xid == xid and reply.message == ACK
        )

    def ask_as_relay(self, request: bytes, server: str, xid: int, seconds: float) -> bool:
        """Whether `server` itself answers a relay's request.

        Relays on the way may forward the request to other servers, whose answers do not count.
        """
        if self._relay is None:
            return False

        def is_its(reply: Reply) -> bool:
            return reply.xid == xid and reply.source == server

        self._relay.sendto(request, (server, SERVER_PORT))
        return any(map(is_its, self._hear(self._relay, seconds, is_its)))

    def _hear(
        self,
        udp: socket.socket | RawPort,
        seconds: float,
        enough: Callable[[Reply], bool],
        *,
        since: float = 0.0,
    ) -> list[Reply]:
        heard = []
        began = time.monotonic()
        until = began + seconds
        while (left := until - time.monotonic()) > 0:
            if not select.select([udp], [], [], left)[0]:
                break
            try:
                data, (source, port) = udp.recvfrom(_LARGEST)
            except OSError:  # an ICMP error: the port is closed there
                continue
            reply = read_reply(data, source, port, after=since + time.monotonic() - began)
            if reply is not None:
                heard.append(reply)
                if enough(reply):
                    break
        return heard


def _open_raw(interface: str, address: str) -> RawPort:
    try:
        return RawPort(interface, address, _CLIENT_PORT)
    except PermissionError as error:
        raise NotPermitted(
            f"another program uses UDP port {_CLIENT_PORT}, and this user may not share it",
            hint="Run `netboot check` on this server as root.",
        ) from error


def _open(interface: str, port: int) -> socket.socket:
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        # No SO_REUSEADDR: it would take answers away from the other program.
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
        udp.bind(("", port))
    except OSError as error:
        udp.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(f"another program on this host uses UDP port {port}") from error
        if error.errno in {errno.EACCES, errno.EPERM}:
            raise NotPermitted(
                f"the system does not let us open UDP port {port}",
                hint="Run `netboot check` on this server as root.",
            ) from error
        raise
    return udp
