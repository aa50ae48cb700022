"""This machine's network interfaces and their IPv4 addresses (netdevice(7))."""

import array
import fcntl
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv4Network

from netboot.boot.networks import Host, HostAddress
from netboot.errors import InvalidInput, NotPermitted

_SIOCGIFCONF = 0x8912
_SIOCGIFNETMASK = 0x891B

_RECORD = struct.Struct("16sH2x4s16x")
"""struct ifreq on a 64-bit machine: name, sockaddr_in (family, port, address), filling."""


def read_host() -> Host:
    """What this machine has now. Raises NotPermitted."""
    found = []
    for name, address in _all():
        with suppress(OSError):  # it went between the two questions
            network = IPv4Network(f"{address}/{_netmask(name, address)}", strict=False)
            found.append(HostAddress(name.partition(":")[0], address, network))
    known = _indexed()
    return Host(tuple(name for _, name in known), tuple(found), tuple(index for index, _ in known))


def ipv4_addresses(interface: str) -> list[str]:
    """The interface's addresses in the system's order.

    Raises InvalidInput if there is none, NotPermitted.
    """
    known = _known()
    if interface not in known:
        raise InvalidInput(
            f"there is no network interface {interface}",
            hint=f"Interfaces of this machine: {', '.join(known)}.",
        )
    found = [address for name, address in _all() if name.partition(":")[0] == interface]
    if not found:
        raise InvalidInput(
            f"interface {interface} has no IPv4 address",
            hint="Machines load from this address: assign one first.",
        )
    return found


def has_address(address: str) -> bool:
    """Whether this machine has the address now; all of 127.0.0.0/8 is its own."""
    return address.startswith("127.") or any(held == address for _, held in _all())


def interface_names() -> list[str]:
    """All interfaces but the loopback. Raises NotPermitted."""
    return [name for name in _known() if name != "lo"]


def all_addresses() -> list[str]:
    """The IPv4 addresses of this machine, without the loopback's."""
    return [address for name, address in _all() if not name.startswith("lo")]


def network_of(address: str) -> list[IPv4Network]:
    """The network of `address` by this machine's interfaces; empty if it is not ours."""
    return [
        IPv4Network(f"{address}/{_netmask(name, address)}", strict=False)
        for name, held in _all()
        if held == address
    ][:1]


def _known() -> list[str]:
    """The names of all interfaces."""
    return [name for _, name in _indexed()]


def _indexed() -> list[tuple[int, str]]:
    """All interfaces with their numbers; the C library asks for them by a netlink socket."""
    try:
        return socket.if_nameindex()
    except OSError as fault:
        raise NotPermitted(
            f"the system does not list its network interfaces: {fault.strerror}",
            hint="Allow netlink sockets; a systemd unit with RestrictAddressFamilies= must name"
            " AF_NETLINK.",
        ) from fault


def _all() -> Iterator[tuple[str, str]]:
    """Every interface that is up with each of its addresses; an alias has a colon in its name."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        size = 64
        while True:
            room = array.array("B", bytes(size * _RECORD.size))
            place, _ = room.buffer_info()
            asked = struct.pack("iP", len(room), place)
            used, _ = struct.unpack("iP", fcntl.ioctl(probe, _SIOCGIFCONF, asked))
            if used < len(room):
                break
            size *= 2  # full: SIOCGIFCONF drops what has no room and reports success
    for name, _family, address in _RECORD.iter_unpack(room.tobytes()[:used]):
        yield name.split(b"\0", 1)[0].decode(), socket.inet_ntoa(address)


def _netmask(name: str, address: str) -> str:
    """The mask of this address: an interface may have several networks."""
    asked = _RECORD.pack(name.encode(), socket.AF_INET, socket.inet_aton(address))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        answer = fcntl.ioctl(probe, _SIOCGIFNETMASK, asked)
    return socket.inet_ntoa(_RECORD.unpack(answer)[2])
