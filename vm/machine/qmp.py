"""QEMU's control channel, as far as the lab needs it: commands, and the events between them.

Reference: QEMU documentation, "QEMU Machine Protocol Specification". QEMU inherits the other end of
the socket pair, so there is no path and no race.
"""

import json
import socket
from typing import Any

from netboot.errors import NetbootError


class QmpError(NetbootError):
    """QEMU refused a command, or is gone."""


class QmpClient:
    """A synchronous client; no wait takes longer than `timeout` seconds."""

    def __init__(self, link: socket.socket, *, timeout: float = 10.0) -> None:
        self._link = link
        self._link.settimeout(timeout)
        self._buffer = b""
        self._ready = False
        self.events: list[dict[str, Any]] = []

    def execute(self, command: str, arguments: dict[str, Any] | None = None) -> Any:
        """The answer to one command; collects `events` meanwhile. Raises QmpError."""
        if not self._ready:
            self._message()  # the greeting
            self._ready = True
            self.execute("qmp_capabilities")
        request = {"execute": command, "arguments": arguments or {}}
        try:
            self._link.sendall(json.dumps(request).encode() + b"\n")
        except OSError as error:
            raise QmpError(f"QEMU is gone: {error}") from error
        while True:
            message = self._message()
            if "error" in message:
                raise QmpError(f"{command}: {message['error'].get('desc', message['error'])}")
            if "return" in message:
                return message["return"]
            self.events.append(message)

    def close(self) -> None:
        self._link.close()

    def _message(self) -> dict[str, Any]:
        while b"\n" not in self._buffer:
            try:
                part = self._link.recv(65536)
            except OSError as error:
                raise QmpError(f"no answer from QEMU: {error}") from error
            if not part:
                raise QmpError("QEMU has closed its control channel")
            self._buffer += part
        line, _, self._buffer = self._buffer.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message
