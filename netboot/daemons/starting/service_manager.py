"""What a process says to the service manager that started it: ready, alive, stopping.

References: sd_notify(3), sd_watchdog_enabled(3). Without a service manager nothing is sent.
"""

import functools
import os
import socket
from collections.abc import MutableMapping
from contextlib import suppress

from netboot.serve.udp import Loop

SOCKET = "NOTIFY_SOCKET"
WATCHDOG, WATCHDOG_PROCESS = "WATCHDOG_USEC", "WATCHDOG_PID"


class ServiceManager:
    """The sender of this process's messages.

    It takes the socket's name out of the environment, so that no child speaks for this process.
    """

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        self._address = environment.pop(SOCKET, "")
        microseconds = environment.pop(WATCHDOG, "")
        process = environment.pop(WATCHDOG_PROCESS, str(os.getpid()))
        is_ours = microseconds.isdecimal() and process == str(os.getpid())
        self.alive_seconds = int(microseconds) / 2_000_000 if is_ours else 0.0
        """How often `alive` is due: twice in the time after which this process is killed; or 0."""

    @property
    def is_there(self) -> bool:
        return bool(self._address)

    def ready(self, status: str = "") -> None:
        """The process does its work from now on."""
        self._send("READY=1", status)

    def status(self, text: str) -> None:
        """One line that `systemctl status` shows."""
        self._send("", text)

    def alive(self) -> None:
        """The process is not stuck."""
        if self.alive_seconds:
            self._send("WATCHDOG=1")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def _send(self, message: str, status: str = "") -> None:
        if not self._address:
            return
        one_line = " ".join(status.split())
        lines = [message] * bool(message) + [f"STATUS={one_line}"] * bool(status)
        # A name that begins with @ is in the abstract namespace (unix(7)).
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with (
            suppress(OSError),  # a manager that does not listen must not stop the service
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender,
        ):
            sender.settimeout(1.0)
            sender.sendto("\n".join(lines).encode(), address)


@functools.cache
def service_manager() -> ServiceManager:
    """The service manager of this process; the first call takes it out of the environment."""
    return ServiceManager(os.environ)


def announce(loop: Loop, status: str) -> None:
    """Say that the process serves, and from then on, from its event loop, that it is alive."""
    manager = service_manager()
    manager.ready(status)
    if manager.alive_seconds:
        loop.every(manager.alive_seconds, lambda _now: manager.alive())
