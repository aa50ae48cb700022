"""Waits for the networks that a site serves: after a power cut an address may come last.

Only where nobody reads a refusal: at a terminal a missing network is an error at once. A process
that is started by others waits until it can serve one of its networks; it serves that one at once,
and follows the others while it runs (`network_follower`). What is awaited is in the status of the
service and on the page.
"""

import os
import select
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import structlog

from netboot.boot.network_settings import NetworkSetting, clash
from netboot.boot.networks import Network, place
from netboot.config import Settings
from netboot.daemons.serving.network_follower import drain, open_changes
from netboot.daemons.starting.service_manager import service_manager
from netboot.daemons.supervisor import PARENT
from netboot.errors import InvalidInput, explained
from netboot.interfaces import read_host
from netboot.operations.processes import OwnReport
from netboot.site import Site

log = structlog.get_logger()

LOOK_SECONDS = 5.0
"""Between looks at the settings; a change of the network is heard at once."""


def find_networks(
    site: Site, name: str, interfaces: Sequence[str], address: str
) -> tuple[NetworkSetting, ...]:
    """The networks to serve, once at least one of them is there.

    Without `interfaces` and `address` they are those of the settings. `name` is the process, as
    pages show it. Raises InvalidInput if one of them is not there, except under a service manager:
    then it waits for the first. As a part of `netboot run` it needs one of them.
    """

    def named() -> tuple[NetworkSetting, ...]:
        vars(site).pop("settings", None)  # they may have been changed while it waited
        wanted = chosen(site.settings, interfaces, address)
        require(place(wanted, read_host()), every=not (is_service or PARENT in os.environ))
        return wanted

    is_service = service_manager().is_there
    return _wait(named, OwnReport(name)) if is_service else named()


def chosen(
    settings: Settings, interfaces: Sequence[str], address: str
) -> tuple[NetworkSetting, ...]:
    """The networks by arguments and settings. Raises InvalidInput.

    Interfaces that are named replace those of the settings, but a network that the settings have
    on such an interface keeps its rules; so do those behind relays.
    """
    if len(interfaces) > 1 and address:
        raise InvalidInput(
            "one address cannot be that of several interfaces",
            hint="Leave out --address, or set [[networks]] with an address for each interface.",
        )
    if interfaces:
        wanted = [network for name in interfaces for network in _on(settings, name, address)]
        wanted += [one for one in settings.networks if not one.interface]
    elif address:
        wanted = [NetworkSetting(interface=settings.interface, address=address)]
        wanted += settings.networks
    else:
        wanted = list(settings.all_networks)
    if not wanted:
        raise InvalidInput(
            "no network was named: neither an interface nor an address",
            hint="Use --interface eth0, or `netboot settings set interface=eth0`.",
        )
    if wrong := clash(wanted):
        raise InvalidInput(wrong, hint="Correct --interface and --address, or [[networks]].")
    return tuple(wanted)


def _on(settings: Settings, interface: str, address: str) -> list[NetworkSetting]:
    """The networks of the settings on this interface, else a plain one."""
    known = [one for one in settings.networks if one.interface == interface]
    if known and not address:
        return known
    if not address and settings.interface in {"", interface}:
        address = settings.address
    return [NetworkSetting(interface=interface, address=address)]


def require(networks: Sequence[Network], *, every: bool) -> None:
    """Raises InvalidInput if none of these can be served, or with `every` if one cannot."""
    missing = [one for one in networks if one.waits]
    if missing and (every or len(missing) == len(networks)):
        raise InvalidInput(missing[0].waits, hint=missing[0].hint)


def _wait(
    named: Callable[[], tuple[NetworkSetting, ...]], report: OwnReport
) -> tuple[NetworkSetting, ...]:
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
    heard = open_changes()
    if heard is None:
        yield time.sleep
        return
    with heard:

        def wait(seconds: float) -> None:
            if select.select([heard], [], [], seconds)[0]:
                drain(heard)

        yield wait
