"""Waits for the network that a site serves: after a power cut the address may come last.

Only under a service manager, where nobody reads a refusal: at a terminal a missing network is an
error at once. What is awaited is in the status of the service and on the page.
"""

import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from netboot.config import Settings
from netboot.daemons.starting.service_manager import service_manager
from netboot.errors import InvalidInput, explained
from netboot.interfaces import has_address, ipv4_addresses
from netboot.operations.processes import OwnReport
from netboot.site import Site

log = structlog.get_logger()

LOOK_SECONDS = 5.0
"""Between looks at the settings; a change of the network is heard at once."""

_LINK, _IPV4_ADDRESS = 0x1, 0x10  # RTMGRP_LINK, RTMGRP_IPV4_IFADDR (linux/rtnetlink.h)


def find_network(site: Site, name: str, interface: str, address: str) -> tuple[str, str]:
    """The interface to serve, if one is named, and our address there.

    What is empty is taken from the settings. `name` is the process, as pages show it. Raises
    InvalidInput if there is no such network, except under a service manager: then it waits.
    """

    def named() -> tuple[str, str]:
        vars(site).pop("settings", None)  # they may have been changed while it waited
        return chosen(site.settings, interface, address)

    if not service_manager().is_there:
        return named()
    return _wait(named, OwnReport(name))


def chosen(settings: Settings, interface: str, address: str) -> tuple[str, str]:
    """The network by arguments and settings, as it is now. Raises InvalidInput."""
    interface = interface or settings.interface
    address = address or settings.address
    if not interface and not address:
        raise InvalidInput(
            "no network was named: neither an interface nor an address",
            hint="Use --interface eth0, or `netboot settings set interface=eth0`.",
        )
    held = ipv4_addresses(interface) if interface else []
    if not address:
        return interface, held[0]
    if not has_address(address):
        raise InvalidInput(
            f"this server has no address {address}",
            hint="`ip -4 address` lists the addresses of this server.",
        )
    return interface, address


def _wait(named: Callable[[], tuple[str, str]], report: OwnReport) -> tuple[str, str]:
    manager = service_manager()
    shown = ""
    with _changes() as changes:
        while True:
            try:
                found = named()
            except InvalidInput as fault:
                if str(fault) != shown:
                    shown = str(fault)
                    log.warning("network.waits", reason=shown, hint=fault.hint)
                    report.trouble("network", explained(fault))
                    # A start that waits for a cable must not hold up the start of the machine.
                    manager.ready(f"waits: {shown}")
                manager.alive()
                changes(min(LOOK_SECONDS, manager.alive_seconds or LOOK_SECONDS))
            else:
                report.trouble("network", "")
                return found


@contextmanager
def _changes() -> Iterator[Callable[[float], None]]:
    """A function that returns when interfaces or addresses change, or after these seconds."""
    try:
        heard = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    except OSError:  # a unit that does not allow netlink sockets
        yield time.sleep
        return
    with heard:
        heard.bind((0, _LINK | _IPV4_ADDRESS))

        def wait(seconds: float) -> None:
            if select.select([heard], [], [], seconds)[0]:
                heard.recv(65536)

        yield wait
