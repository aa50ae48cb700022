"""The networks of the boot services: how each is served, and what was heard there."""

import json
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Any

from netboot.boot.told.events import NetworksChanged
from netboot.errors import NotFound
from netboot.site import Site

SERVED = frozenset({"serves", "behind relays"})
"""The states in which machines get answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedNetwork:
    """A network as the boot services told it last, at most half a minute ago.

    `state` is "serves", "behind relays", "not allowed", "waits" (`reason` says for what) or
    "stopped". `heard` are boot requests since the start, `last` is the time of the newest in epoch
    seconds (0: none), `relays` are the DHCP relays that forwarded some, latest first. `notes` are
    what does not work on its interface, and the fix.
    """

    name: str
    interface: str = ""
    address: str = ""
    state: str = ""
    reason: str = ""
    subnets: tuple[str, ...] = ()
    block_size: int = 0
    response_delay: float = 0.0
    only_known: bool = False
    heard: int = 0
    answered: int = 0
    last: float = 0.0
    relays: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def list_networks(site: Site) -> list[ServedNetwork]:
    """The networks in the order of the settings; empty before the first start.

    Raises ContentFault.
    """
    entry = site.journal.latest_networks()
    if entry is None or not isinstance(event := entry.event, NetworksChanged):
        return []
    with suppress(ValueError, TypeError, AttributeError):  # a row that was edited
        return [_network(line) for line in json.loads(event.networks)]
    return []


def find_network(site: Site, name: str) -> ServedNetwork:
    """The network of this name. Raises NotFound, ContentFault."""
    known = list_networks(site)
    found = next((one for one in known if one.name == name), None)
    if found is None:
        names = ", ".join(one.name for one in known) or "none"
        raise NotFound(
            f"the boot services have no network {name[:40]!r}", hint=f"They have: {names}."
        )
    return found


_FIELDS = {field.name for field in fields(ServedNetwork)}


def _network(line: dict[str, Any]) -> ServedNetwork:
    """One that another release wrote may have other fields."""
    known: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in line.items()
        if name in _FIELDS
    }
    return ServedNetwork(**known)
