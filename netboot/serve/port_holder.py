"""Which program holds a port: what an administrator needs when ours is taken.

Reads /proc/net/{udp,tcp} for the socket's inode, then looks which process has it open.
"""

from pathlib import Path
from typing import Literal

_ANY = "00000000"
_TCP_LISTEN = "0A"


def who_holds(port: int, *, protocol: Literal["udp", "tcp"], address: str = "") -> str:
    """The program on `port`, as `dnsmasq (process 812)`, or "another program" if it is hidden."""
    return _holder(_socket_inodes(port, protocol, address))


def holder_of(port: int, *, protocol: Literal["udp", "tcp"]) -> str:
    """The program on `port` as `who_holds` names it, or "" if the port is free."""
    inodes = _socket_inodes(port, protocol, "")
    return _holder(inodes) if inodes else ""


def _holder(inodes: set[str]) -> str:
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            target = str(link.readlink())
        except OSError:
            continue  # the process has ended, or belongs to another user
        if target.startswith("socket:[") and target[8:-1] in inodes:
            return _program(link.parent.parent)
    return "another program (only root can see which one)"


def _socket_inodes(port: int, protocol: str, address: str) -> set[str]:
    found: set[str] = set()
    try:
        table = Path(f"/proc/net/{protocol}").read_text(encoding="ascii")
    except OSError:
        return found  # a unit with ProcSubset=pid shows processes only
    for line in table.splitlines()[1:]:
        columns = line.split()
        local, bound_port = columns[1].split(":")
        if int(bound_port, 16) != port or (protocol == "tcp" and columns[3] != _TCP_LISTEN):
            continue
        if address in {"", "0.0.0.0"} or local in {_ANY, _as_proc_writes(address)}:  # noqa: S104 - compared, not bound
            found.add(columns[9])
    return found


def _as_proc_writes(address: str) -> str:
    """An IPv4 address as /proc/net prints it: little-endian hexadecimal."""
    return "".join(f"{int(part):02X}" for part in reversed(address.split(".")))


def _program(process: Path) -> str:
    try:
        name = (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        name = "a program that has just ended"
    return f"{name} (process {process.name})"
