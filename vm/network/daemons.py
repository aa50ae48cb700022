"""Waits until a daemon listens, by the kernel's socket tables of its namespace."""

import subprocess
import time
from collections.abc import Collection
from pathlib import Path

from netboot.errors import OperatorFault

_LISTEN = "0A"  # TCP_LISTEN, include/net/tcp_states.h
_BOUND = "07"  # how /proc shows a bound UDP socket
_PAUSE_SECONDS = 0.05


def wait_until_bound(
    process: "subprocess.Popen[bytes]",
    log: Path,
    *,
    udp: Collection[int] = (),
    tcp: Collection[int] = (),
    seconds: float = 30.0,
) -> None:
    """Wait until the namespace of `process` has sockets on all ports. Raises OperatorFault."""
    deadline = time.monotonic() + seconds
    while True:
        missing = [
            *(f"UDP {port}" for port in udp if port not in bound_ports(process.pid, "udp")),
            *(f"TCP {port}" for port in tcp if port not in bound_ports(process.pid, "tcp")),
        ]
        if not missing:
            return
        if process.poll() is not None or time.monotonic() > deadline:
            words = log.read_text(encoding="utf-8", errors="replace").strip()[-600:]
            raise OperatorFault(
                f"a service of the lab does not listen on {', '.join(missing)}",
                hint=f"Its last messages: {words or 'none'}",
            )
        # The kernel sends no event when a socket is bound; a look costs microseconds.
        time.sleep(_PAUSE_SECONDS)


def bound_ports(pid: int, protocol: str) -> set[int]:
    """The local ports in use in a process's network namespace, over IPv4 and IPv6."""
    state = _LISTEN if protocol == "tcp" else _BOUND
    ports: set[int] = set()
    for name in (protocol, f"{protocol}6"):
        try:
            rows = Path(f"/proc/{pid}/net/{name}").read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            _, local, _, shown, *_ = row.split()
            if shown == state:
                ports.add(int(local.rpartition(":")[2], 16))
    return ports
