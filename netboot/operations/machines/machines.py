"""Known machines and their devices: from boot reports, from iPXE, and from imported lists."""

import re
import time
from collections.abc import Collection
from dataclasses import replace

from sqlalchemy.orm import Session

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
from netboot.store.boots import machines as machine_rows

__all__ = ["IPXE", "LIST", "REPORT", "KnownMachine", "find_machines", "get_machine"]

# A name is part of the addresses of pages.
_NO_NAME = re.compile(r"[/\\]|^\.{1,2}$")

_HARDWARE = re.compile(r"(?:VEN_)?([0-9a-f]{4})(?::|&DEV_)([0-9a-f]{4})", re.IGNORECASE)


def list_machines(site: Site) -> list[KnownMachine]:
    """All known machines, last seen first.

    `site.database.stamp("fleet")` changes with the machines, their devices, firmware or
    architecture.
    """
    with site.database.transaction() as session:
        return machine_rows.everything(session)


def find_machines(
    site: Site, search: str = "", *, limit: int, offset: int = 0
) -> tuple[list[KnownMachine], int]:
    """Some of the machines that match, last seen first, and how many match in all.

    `search` looks in address, image, firmware and devices; a device may be written as `8086:100e`
    or `VEN_8086&DEV_100E`.
    """
    words = _spellings(search.strip())
    with site.database.transaction() as session:
        return machine_rows.page(session, words, limit, offset)


def _spellings(search: str) -> list[str]:
    """The ways in which a row may write the search text; case does not matter."""
    spellings = [search, search.replace("-", ":")]
    if named := _HARDWARE.search(search):
        spellings += [f"{named[1]}:{named[2]}", f"ven_{named[1]}&dev_{named[2]}"]
    return list({word.lower(): word for word in reversed(spellings) if word}.values())


def get_machine(site: Site, key: str) -> KnownMachine:
    """One machine, by its address in any spelling or the name of its list. Raises NotFound."""
    with site.database.transaction() as session:
        return _find(session, key)


def find_machines_named(site: Site, keys: Collection[str]) -> list[KnownMachine]:
    """The machines with these keys, in that order; unknown keys are left out."""
    with site.database.transaction() as session:
        found = {one.key: one for one in machine_rows.find(session, list(keys))}
    return [found[key] for key in keys if key in found]


def import_devices(site: Site, name: str, text: str) -> tuple[KnownMachine, tuple[str, ...]]:
    """Import a list of devices (PNPDeviceIDs, `lspci -nn`) as the machine `name`.

    Returns the machine and the lines that were not understood. Raises InvalidInput.
    """
    name = _canonical(name.strip())
    if not name or len(name) > 100 or not name.isprintable() or _NO_NAME.search(name):
        raise InvalidInput(
            "a machine needs a name of 1 to 100 printable characters, without / and \\",
            hint="Its MAC address, or any words like: new laptops.",
        )
    parsed, lines = parse_devices(text), device_list(LIST, tuple(text.splitlines()))
    with site.database.writing() as session:
        before = next(iter(machine_rows.find(session, [name])), new_machine(name))
        known = replace(before, told=lines, seen_at=time.time())
        machine_rows.keep(session, [known])
    return known, parsed.unread


def forget(site: Site, key: str) -> None:
    """Delete a machine; it comes back when it boots again. Raises NotFound."""
    with site.database.writing() as session:
        machine_rows.discard(session, _find(session, key).key)
    publish_authorities(site)


def set_authority(site: Site, key: str, authority: str) -> KnownMachine:
    """Set which authority must have signed a machine's UEFI boot loader; "" for unknown.

    It overrides image and site. Raises NotFound, InvalidInput.
    """
    if authority and authority not in AUTHORITIES:
        raise InvalidInput(
            f"{authority[:40]!r} does not sign boot loaders",
            hint=f"Choose one of {', '.join(AUTHORITIES)}.",
        )
    with site.database.writing() as session:
        known = replace(_find(session, key), authority=authority)
        if not is_mac(known.key):
            raise InvalidInput(
                f"{known.key} is a list of devices; it does not boot",
                hint="Set it for a machine with a MAC address.",
            )
        machine_rows.keep(session, [known])
    publish_authorities(site)
    return known


def publish_authorities(site: Site) -> None:

    def authorities() -> dict[str, str]:
        with site.database.transaction() as session:
            return machine_rows.authorities(session)

    site.point.publish_authorities(authorities)


def _find(session: Session, key: str) -> KnownMachine:
    """By its exact key, or by its address in another spelling."""
    named = {one.key: one for one in machine_rows.find(session, [key, _canonical(key)])}
    found = named.get(key) or named.get(_canonical(key))
    if found is None:
        raise NotFound(
            f"no machine is known as {key[:100]!r}",
            hint="`netboot machine list` shows the known machines.",
        )
    return found


def _canonical(name: str) -> str:
    """A MAC address as the boot log writes it; any other name unchanged."""
    return read_mac(name) or name
