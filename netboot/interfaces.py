"""This machine's network interfaces and their IPv4 addresses."""

import fcntl
import socket
import struct
from ipaddress import IPv4Network

from netboot.errors import InvalidInput

SIOCGIFADDR = 0x8915
SIOCGIFNETMASK = 0x891B


def ipv4_addresses(interface: str) -> list[str]:
    """The interface's address, as the system gives it first.

    Raises InvalidInput for an interface that is not there or has no address.
    """
    known = [name for _, name in socket.if_nameindex()]
    if interface not in known:
        raise InvalidInput(
            f"there is no network interface {interface}",
            hint=f"Interfaces of this machine: {', '.join(known)}.",
        )
    found = _ask(interface, SIOCGIFADDR)
    if found is None:
        raise InvalidInput(
            f"interface {interface} has no IPv4 address",
            hint="Machines need one to load from: give it an address first.",
        )
    return [found]


def network_of(address: str) -> list[IPv4Network]:
    """The network that `address` lies in, by this machine's interfaces; none when not ours."""
    for _, interface in socket.if_nameindex():
        if _ask(interface, SIOCGIFADDR) == address:
            mask = _ask(interface, SIOCGIFNETMASK)
            return [IPv4Network(f"{address}/{mask}", strict=False)]
    return []


def _ask(interface: str, what: int) -> str | None:
    """One IPv4 property of an interface (netdevice(7)), or None where it has none."""
    request = struct.pack("256s", interface.encode()[:15])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            answer = fcntl.ioctl(probe, what, request)
        except OSError:
            return None
    return socket.inet_ntoa(answer[20:24])
