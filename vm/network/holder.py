"""The process that holds the lab's namespaces: it creates them, hands over the ports, and waits.

Run as `python -m vm.network.holder FD` under `unshare`. FD is a connected Unix socket, which
carries AF_PACKET sockets (SCM_RIGHTS) and one JSON line. When the other side closes it or dies,
this process ends, and the namespaces with it. It has every right inside them, so it imports only
the standard library and does nothing else.
"""

import array
import ctypes
import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CLONE_NEWNET = 0x40000000
_SIOCETHTOOL = 0x8946
# ETHTOOL_SRXCSUM, STXCSUM, STSO, SGSO, SGRO (linux/ethtool.h): all off. Otherwise frames reach the
# switch with unfinished checksums, and larger than an Ethernet frame may be.
_OFFLOADS = (0x15, 0x17, 0x1F, 0x24, 0x2C)
_SOL_PACKET = 263
_PACKET_ADD_MEMBERSHIP = 1
_PACKET_MR_PROMISC = 1
_PACKET_IGNORE_OUTGOING = 23
_ETH_P_ALL = 3


def main(argv: list[str]) -> int:
    """Create what the plan on the socket says, then wait until the socket closes."""
    with socket.socket(fileno=int(argv[0])) as channel:
        plan = json.loads(_line(channel))
        try:
            links = _build(plan)
        except (OSError, subprocess.CalledProcessError) as error:
            channel.send(json.dumps({"error": _words(error)}).encode() + b"\n")
            return 1
        answer = json.dumps({"pid": os.getpid()}).encode() + b"\n"
        socket.send_fds(channel, [answer], [link.fileno() for link in links])
        channel.recv(1)
    return 0


def _build(plan: dict[str, list[str]]) -> list[socket.socket]:
    """Namespaces with one interface each; `plan` maps a name to its addresses."""
    Path("/run").mkdir(exist_ok=True)
    _run("mount", "-t", "tmpfs", "none", "/run")
    Path("/run/netns").mkdir()
    _run("ip", "link", "set", "lo", "up")
    return [_namespace(name, addresses) for name, addresses in plan.items()]


def _namespace(name: str, addresses: list[str]) -> socket.socket:
    outer = f"v{name}"
    _run("ip", "netns", "add", name)
    _run("ip", "link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns", name)
    Path(f"/proc/sys/net/ipv6/conf/{outer}/disable_ipv6").write_text("1", encoding="ascii")
    _run("ip", "link", "set", outer, "up")
    _run("ip", "-n", name, "link", "set", "lo", "up")
    with _inside(name):
        # No duplicate address detection: addresses are usable at once.
        for key in ("accept_dad", "dad_transmits"):
            Path(f"/proc/sys/net/ipv6/conf/eth0/{key}").write_text("0", encoding="ascii")
        _offloads_off("eth0")
    for address in addresses:
        _run("ip", "-n", name, "addr", "add", address, "dev", "eth0")
    _run("ip", "-n", name, "link", "set", "eth0", "up")
    _offloads_off(outer)
    return _packet_socket(outer)


def _packet_socket(interface: str) -> socket.socket:
    """All frames of an interface, for any receiver, without those that we send."""
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
    link.bind((interface, 0))
    link.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
    index = socket.if_nametoindex(interface)
    membership = struct.pack("iHH8s", index, _PACKET_MR_PROMISC, 0, b"")
    link.setsockopt(_SOL_PACKET, _PACKET_ADD_MEMBERSHIP, membership)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    return link


def _offloads_off(interface: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for command in _OFFLOADS:
            value = array.array("B", struct.pack("II", command, 0))
            request = struct.pack("16sP8x", interface.encode(), value.buffer_info()[0])
            fcntl.ioctl(control, _SIOCETHTOOL, request)


@contextmanager
def _inside(name: str) -> Iterator[None]:
    """Put this thread into another network namespace, and back (os.setns is Python 3.12's)."""
    with Path("/proc/self/ns/net").open("rb") as home, Path("/run/netns", name).open("rb") as there:
        _setns(there.fileno())
        try:
            yield
        finally:
            _setns(home.fileno())


def _setns(descriptor: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(descriptor, _CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, f"setns: {os.strerror(number)}")


def _run(*argv: str) -> None:
    subprocess.run(argv, check=True, capture_output=True, text=True)


def _line(channel: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\n"):
        part = channel.recv(65536)
        if not part:
            raise SystemExit(1)
        data += part
    return data


def _words(error: OSError | subprocess.CalledProcessError) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        return f"{' '.join(error.cmd)}: {error.stderr.strip()}"
    return str(error)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
