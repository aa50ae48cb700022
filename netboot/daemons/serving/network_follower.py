"""Follows the networks of this host while a process serves them: interfaces come and go.

The kernel tells of every change of an interface or an IPv4 address (rtnetlink(7)). Each process
listens for itself and comes to the same result: `netboot.boot.networks.place` is a function of the
settings and the host alone.
"""

import socket
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog

from netboot.boot.network_settings import NetworkSetting
from netboot.boot.networks import Host, Network, place
from netboot.errors import NetbootError
from netboot.interfaces import read_host
from netboot.serve.udp import Loop

log = structlog.get_logger()

SETTLE_SECONDS = 0.1
"""After a change, so that an interface with its addresses and routes is one change, not five."""

LOOK_SECONDS = 5.0
"""Between looks without a change: where the system does not tell, or something is to be retried."""

_LINK, _IPV4_ADDRESS = 0x1, 0x10  # RTMGRP_LINK, RTMGRP_IPV4_IFADDR (linux/rtnetlink.h)
_LARGEST = 65536


def open_changes() -> socket.socket | None:
    """A socket that can be read when interfaces or addresses changed; None if not permitted."""
    try:
        heard = socket.socket(
            socket.AF_NETLINK,
            socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC,
            socket.NETLINK_ROUTE,
        )
    except OSError:  # a unit that does not allow netlink sockets
        return None
    heard.bind((0, _LINK | _IPV4_ADDRESS))
    return heard


def drain(heard: socket.socket) -> None:
    """Read all that has been told; how much was missed (ENOBUFS) does not matter."""
    with suppress(OSError):
        while heard.recv(_LARGEST):
            pass


class NetworkFollower:
    """Calls `changed(networks)` when the networks are others than before.

    `changed` returns whether all of them are served; if not, it is called again after some
    seconds. `networks` are those of now; the caller serves them, and says in `is_done` whether it
    could.
    """

    def __init__(
        self,
        loop: Loop,
        wanted: Sequence[NetworkSetting],
        changed: Callable[[tuple[Network, ...]], bool],
        *,
        read: Callable[[], Host] = read_host,
    ) -> None:
        """Follow from now on; `changed` is not called for the networks of now."""
        self._loop, self._wanted, self._changed, self._read = loop, tuple(wanted), changed, read
        self._is_due = False
        self.is_done = True
        self.networks = place(self._wanted, read())
        self._heard = open_changes()
        if self._heard is not None:
            loop.add_reader(self._heard.fileno(), self._told)
        loop.every(LOOK_SECONDS, self._look)

    def _told(self, now: float) -> None:
        assert self._heard is not None
        drain(self._heard)
        if not self._is_due:
            self._is_due = True
            self._loop.at(now + SETTLE_SECONDS, self._settled)

    def _settled(self, now: float) -> None:
        self._is_due = False
        self._look(now)

    def _look(self, _now: float) -> None:
        try:
            networks = place(self._wanted, self._read())
        except NetbootError as fault:
            log.warning("networks.unknown", reason=str(fault))
            return
        if networks != self.networks or not self.is_done:
            self.networks, self.is_done = networks, False  # also if the next line fails
            self.is_done = self._changed(networks)
