"""Known machines and their devices: from boot reports, from iPXE, and from imported lists."""

import re
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

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
from netboot.images.drivers.device import Device, hint_line, parse_devices
from netboot.images.drivers.driver import DriverKind
from netboot.images.drivers.named_kind import kind_of_name
from netboot.protocols.mac import is_mac, read_mac
from netboot.site import Site
from netboot.store.boots import machines as machine_rows
from netboot.store.drivers.pci_names import names_of

__all__ = ["IPXE", "LIST", "REPORT", "KnownMachine", "find_machines", "get_machine"]

SHOWN = 5
COMMAND = "pnputil /enum-devices /connected"
"""What lists the devices of a Windows with their classes."""

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


@dataclass(frozen=True, slots=True)
class ImportedList:
    """A machine with the devices of a list.

    `unread` are the lines that were not understood, `left_out` the ids of devices that no boot
    needs, `guessed` the devices whose kind is a guess from their name, with that kind.
    """

    machine: KnownMachine
    unread: tuple[str, ...]
    left_out: tuple[str, ...]
    guessed: tuple[tuple[str, DriverKind], ...]

    @property
    def summary(self) -> str:
        """What the list says of network and storage, in a sentence."""
        kinds = Counter(device.kind for device in self.machine.devices)
        parts = [
            f"{kinds[kind]} {word}"
            for kind, word in (
                (DriverKind.NETWORK, "for network"),
                (DriverKind.STORAGE, "for storage"),
                (None, "of unknown class"),
            )
            if kinds[kind] or kind
        ]
        total = len(self.machine.devices)
        devices = "1 device" if total == 1 else f"{total} devices"
        return f"{self.machine.key} has {devices}: {', '.join(parts)}."

    @property
    def remarks(self) -> tuple[str, ...]:
        """What an administrator must know about the list, as sentences."""
        return tuple(self._remarks())

    def _remarks(self) -> Iterator[str]:
        if self.guessed:
            named = ", ".join(f"{label} ({kind})" for label, kind in self.guessed[:SHOWN])
            yield f"Class guessed from the name in pci.ids: {named}{_more(self.guessed)}."
        if self.left_out:
            named = ", ".join(self.left_out[:SHOWN])
            yield (
                f"{len(self.left_out)} of no use to a boot were left out: "
                f"{named}{_more(self.left_out)}."
            )
        if any(device.kind is None for device in self.machine.devices):
            yield (
                "Where the class is unknown, only a driver that matches tells what it is for. "
                f"The output of {COMMAND} has the class."
            )


def import_devices(site: Site, name: str, text: str) -> ImportedList:
    """Import a list of devices (of pnputil, PNPDeviceIDs, `lspci -nn`) as the machine `name`.

    Raises InvalidInput.
    """
    name = _canonical(name.strip())
    if not name or len(name) > 100 or not name.isprintable() or _NO_NAME.search(name):
        raise InvalidInput(
            "a machine needs a name of 1 to 100 printable characters, without / and \\",
            hint="Its MAC address, or any words like: new laptops.",
        )
    parsed = parse_devices(text)
    hints, guessed = _guesses(parsed.devices)
    lines = device_list(LIST, (*text.splitlines(), *hints))
    with site.database.writing() as session:
        before = next(iter(machine_rows.find(session, [name])), new_machine(name))
        known = replace(before, told=lines, seen_at=time.time())
        machine_rows.keep(session, [known])
    return ImportedList(known, parsed.unread, parsed.left_out, guessed)


def _guesses(devices: Iterable[Device]) -> tuple[list[str], tuple[tuple[str, DriverKind], ...]]:
    """Lines for the stored list, and what was guessed, for devices whose class no list says."""
    unknown = {(one.vendor, one.device): one for one in devices if one.kind is None and one.vendor}
    names = names_of(unknown) if unknown else {}
    found = {key: kind for key, name in names.items() if (kind := kind_of_name(name))}
    hints = [hint_line(unknown[key], kind) for key, kind in found.items()]
    return hints, tuple((names[key], kind) for key, kind in found.items())


def _more(found: Sequence[object]) -> str:
    return f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""


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
