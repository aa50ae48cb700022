"""Who holds a port: the answer that a person needs when ours is taken.

Reads /proc/net/{udp,tcp} for the socket's inode, then looks which process has it open.
"""

from pathlib import Path
from typing import Literal

_ANY = "00000000"
_TCP_LISTEN = "0A"


def who_holds(port: int, *, protocol: Literal["udp", "tcp"], address: str = "") -> str:
    """The program on `port`, as `dnsmasq (process 812)`, or words that say we cannot tell."""
    return _holder(_socket_inodes(port, protocol, address))


def holder_of(port: int, *, protocol: Literal["udp", "tcp"]) -> str:
    """The program on `port` as `who_holds` names it, or "" where nobody is there."""
    inodes = _socket_inodes(port, protocol, "")
    return _holder(inodes) if inodes else ""


def _holder(inodes: set[str]) -> str:
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            target = str(link.readlink())
        except OSError:
            continue  # the process ended, or is not ours to look into
        if target.startswith("socket:[") and target[8:-1] in inodes:
            return _program(link.parent.parent)
    return "another program (which one, only root can see)"


def _socket_inodes(port: int, protocol: str, address: str) -> set[str]:
    found = set()
    for line in Path(f"/proc/net/{protocol}").read_text(encoding="ascii").splitlines()[1:]:
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
        name = "a program that just ended"
    return f"{name} (process {process.name})"
