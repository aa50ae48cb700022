"""Known machines and their devices: from boot reports, from iPXE, and from lists by hand."""

import re
import time
from collections.abc import Sequence
from dataclasses import replace

from netboot.boot.machines.known_machine import (
    IPXE,
    LIST,
    REPORT,
    KnownMachine,
    device_list,
    new_machine,
)
from netboot.errors import InvalidInput, NotFound
from netboot.images.boot_image.uefi_loader import AUTHORITIES
from netboot.images.drivers.device import parse_devices
from netboot.protocols.mac import is_mac, read_mac
from netboot.site import Site
from netboot.store.boots.machines import Changing

__all__ = ["IPXE", "LIST", "REPORT", "KnownMachine", "find_machines", "get_machine"]

# A name stands in the addresses of pages.
_NO_NAME = re.compile(r"[/\\]|^\.{1,2}$")

_HARDWARE = re.compile(r"(?:VEN_)?([0-9a-f]{4})(?::|&DEV_)([0-9a-f]{4})", re.IGNORECASE)


def list_machines(site: Site) -> list[KnownMachine]:
    """Known machines, seen last first."""
    return list(site.machines.fleet().machines)


def find_machines(
    site: Site, search: str = "", *, limit: int, offset: int = 0
) -> tuple[list[KnownMachine], int]:
    """Some of the machines that fit, seen last first, and how many fit in all.

    `search` is looked for in address, image, firmware and devices; a device may be written as
    `8086:100e` or `VEN_8086&DEV_100E`.
    """
    words = _spellings(search.strip().lower())
    log = site.machines
    found: Sequence[KnownMachine] = log.search(words) if words else log.fleet().machines
    return list(found[offset : offset + limit]), len(found)


def _spellings(search: str) -> frozenset[str]:
    """The ways in which a machine's words may say what is searched for, in lower case."""
    spellings = {search, search.replace("-", ":")}
    if named := _HARDWARE.search(search):
        spellings |= {f"{named[1]}:{named[2]}", f"ven_{named[1]}&dev_{named[2]}"}
    return frozenset(spellings - {""})


def get_machine(site: Site, key: str) -> KnownMachine:
    """One machine, by its address in any spelling or the name of its list. Raises NotFound."""
    return _require(site.machines.find(key, _canonical(key)), key)


def import_devices(site: Site, name: str, text: str) -> tuple[KnownMachine, tuple[str, ...]]:
    """Take a list of devices (PNPDeviceIDs, `lspci -nn`) as the machine `name`.

    Returns the machine and the lines that nobody understood. Raises InvalidInput.
    """
    name = _canonical(name.strip())
    if not name or len(name) > 100 or not name.isprintable() or _NO_NAME.search(name):
        raise InvalidInput(
            "a machine needs a name of 1 to 100 printable characters, without / and \\",
            hint="Its MAC address, or any words like: new laptops.",
        )
    parsed, told = parse_devices(text), device_list(LIST, tuple(text.splitlines()))
    with site.machines.changing() as change:
        before = change.find(name)
        known = replace(before or new_machine(name), told=told, seen_at=time.time())
        change.keep(known)
    return known, parsed.unread


def forget(site: Site, key: str) -> None:
    """Forget a machine; it comes back when it boots again. Raises NotFound."""
    with site.machines.changing() as change:
        change.forget(_find(change, key).key)
    publish_authorities(site)


def set_authority(site: Site, key: str, authority: str) -> KnownMachine:
    """Say whose UEFI boot loader a machine needs (see uefi_loader); "" for unknown.

    It outweighs what image and site say. Raises NotFound, InvalidInput.
    """
    if authority and authority not in AUTHORITIES:
        raise InvalidInput(
            f"{authority[:40]!r} is no authority of boot loaders",
            hint=f"There are {', '.join(AUTHORITIES)}.",
        )
    with site.machines.changing() as change:
        known = replace(_find(change, key), authority=authority)
        if not is_mac(known.key):
            raise InvalidInput(
                f"{known.key} is a list of devices; it starts nothing",
                hint="Say it of a machine that is known by its MAC address.",
            )
        change.keep(known)
    publish_authorities(site)
    return known


def publish_authorities(site: Site) -> None:
    """Hand to the distribution point which machines need a certain loader."""
    site.point.publish_authorities(lambda: _authorities(site))


def _authorities(site: Site) -> dict[str, str]:
    told = ((one.key, one.authority) for one in site.machines.fleet().machines)
    return {key: authority for key, authority in sorted(told) if authority}


def _find(change: Changing, key: str) -> KnownMachine:
    return _require(change.find(key) or change.find(_canonical(key)), key)


def _require(found: KnownMachine | None, key: str) -> KnownMachine:
    if found is None:
        raise NotFound(
            f"no machine is known as {key[:100]!r}",
            hint="`netboot machine list` shows those that booted or were listed.",
        )
    return found


def _canonical(name: str) -> str:
    """A MAC address as the boot log writes it; any other name as it is."""
    return read_mac(name) or name
