"""This machine's network interfaces and their IPv4 addresses."""

import fcntl
import socket
import struct

from netboot.errors import InvalidInput

SIOCGIFADDR = 0x8915


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
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            answer = fcntl.ioctl(probe, SIOCGIFADDR, struct.pack("256s", interface.encode()[:15]))
        except OSError as fault:
            raise InvalidInput(
                f"interface {interface} has no IPv4 address",
                hint="Machines need one to load from: give it an address first.",
            ) from fault
    return [socket.inet_ntoa(answer[20:24])]
