"""Known machines and their devices: from boot reports, from iPXE, and from lists by hand."""

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Row, Text, cast, func, or_, select, true
from sqlalchemy.orm import Session

from netboot.boot.events import Discovered, Event, PeOffline, PeReported
from netboot.boot.made_up import is_made_up
from netboot.errors import InvalidInput, NotFound
from netboot.images.coverage import Machine
from netboot.images.device import Device, from_bus_id, from_report, parse_devices
from netboot.images.uefi_loader import AUTHORITIES
from netboot.operations.policy import canonical_mac
from netboot.site import Site
from netboot.store.records import FactRow, MachineRow

READ_TO = "machines_read_to"
BATCH = 5000
DEVICE_LISTS_KNOWN = 2000

_ADDRESS = re.compile(
    r"[0-9a-f]{2}([:-][0-9a-f]{2}){5}|[0-9a-f]{4}(\.[0-9a-f]{4}){2}", re.IGNORECASE
)

_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")

# A name stands in the addresses of pages.
_NO_NAME = re.compile(r"[/\\]|^\.{1,2}$")

_HARDWARE = re.compile(r"(?:VEN_)?([0-9a-f]{4})(?::|&DEV_)([0-9a-f]{4})", re.IGNORECASE)

REPORT, IPXE, LIST = "report", "ipxe", "list"


@dataclass(frozen=True, slots=True)
class KnownMachine:
    """A machine: `key` is its MAC address or the name of its list; `seen_at` epoch seconds.

    `source` says how its devices are known: "report" (its own boot image told all of them),
    "ipxe" (only the network card it booted from), "list" (somebody gave a list). `authority` is
    whose UEFI boot loader it needs, empty where nobody said.
    """

    key: str
    source: str
    devices: tuple[Device, ...]
    architecture: str
    firmware: str
    image: str
    seen_at: float
    authority: str = ""

    def as_machine(self) -> Machine:
        """What coverage is computed from."""
        return Machine(self.key, self.devices)


def list_machines(site: Site) -> list[KnownMachine]:
    """Known machines, seen last first."""
    learn_from_journal(site)
    columns = select(*MachineRow.__table__.columns)  # a row each is a third of an entity's time
    query = columns.order_by(MachineRow.seen_at.desc(), MachineRow.key)
    with site.database.transaction() as session:
        return [_machine(row) for row in session.execute(query)]


def find_machines(
    site: Site, search: str = "", *, limit: int, offset: int = 0
) -> tuple[list[KnownMachine], int]:
    """Some of the machines that fit, seen last first, and how many fit in all.

    `search` is looked for in address, image, firmware and devices; a device may be written as
    `8086:100e` or `VEN_8086&DEV_100E`.
    """
    learn_from_journal(site)
    fits = _fitting(search.strip())
    query = select(MachineRow).where(fits).order_by(MachineRow.seen_at.desc(), MachineRow.key)
    with site.database.transaction() as session:
        total = session.scalar(select(func.count()).select_from(MachineRow).where(fits)) or 0
        rows = session.scalars(query.limit(limit).offset(offset))
        return [_machine(row) for row in rows], total


def _fitting(search: str) -> ColumnElement[bool]:
    if not search:
        return true()
    spellings = {search, search.replace("-", ":")}
    if named := _HARDWARE.search(search):
        spellings |= {f"{named[1]}:{named[2]}", f"VEN_{named[1]}&DEV_{named[2]}"}
    devices = cast(MachineRow.devices, Text)
    columns = (MachineRow.key, MachineRow.image_name, MachineRow.firmware, devices)
    return or_(*(c.icontains(word, autoescape=True) for c in columns for word in spellings))


def get_machine(site: Site, key: str) -> KnownMachine:
    """One machine, by its address in any spelling or the name of its list. Raises NotFound."""
    learn_from_journal(site)
    with site.database.transaction() as session:
        return _machine(_find(session, key))


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
    parsed = parse_devices(text)
    with site.database.writing() as session:
        row = MachineRow(key=name, source=LIST, devices=text.splitlines(), seen_at=time.time())
        row = session.merge(row)
        return _machine(row), parsed.unread


def forget(site: Site, key: str) -> None:
    """Forget a machine; it comes back when it boots again. Raises NotFound."""
    learn_from_journal(site)
    with site.database.writing() as session:
        session.delete(_find(session, key))
    publish_authorities(site)


def set_authority(site: Site, key: str, authority: str) -> KnownMachine:
    """Say whose UEFI boot loader a machine needs (netboot.images.uefi_loader); "" for unknown.

    It outweighs what image and site say. Raises NotFound, InvalidInput.
    """
    if authority and authority not in AUTHORITIES:
        raise InvalidInput(
            f"{authority[:40]!r} is no authority of boot loaders",
            hint=f"There are {', '.join(AUTHORITIES)}.",
        )
    learn_from_journal(site)
    with site.database.writing() as session:
        row = _find(session, key)
        if not is_mac(row.key):
            raise InvalidInput(
                f"{row.key} is a list of devices; it starts nothing",
                hint="Say it of a machine that is known by its MAC address.",
            )
        row.authority = authority
        session.flush()
        known = _machine(row)
    publish_authorities(site)
    return known


def publish_authorities(site: Site) -> None:
    """Hand to the distribution point which machines need a certain loader."""
    site.point.publish_authorities(lambda: _authorities(site))


def is_mac(key: str) -> bool:
    """Whether this is a machine's address, as the boot log writes it."""
    return _MAC.fullmatch(key) is not None


def _authorities(site: Site) -> dict[str, str]:
    query = select(MachineRow.key, MachineRow.authority).where(MachineRow.authority != "")
    with site.database.transaction() as session:
        return {row.key: row.authority for row in session.execute(query)}


def learn_from_journal(site: Site) -> int:
    """Take up what the journal has told since the last time; how many events that were."""
    taken = 0
    while True:
        with site.database.transaction() as session:
            mark = session.get(FactRow, READ_TO)
            after = int(mark.value["id"]) if mark else 0
        entries = site.journal.events_since(after, BATCH)
        if not entries:
            return taken
        with site.database.writing() as session:
            _learn(session, (entry.event for entry in entries))
            session.merge(FactRow(name=READ_TO, value={"id": entries[-1].id}))
        taken += len(entries)


def _find(session: Session, key: str) -> MachineRow:
    row = session.get(MachineRow, key) or session.get(MachineRow, _canonical(key))
    if row is None:
        raise NotFound(
            f"no machine is known as {key[:100]!r}",
            hint="`netboot machine list` shows those that booted or were listed.",
        )
    return row


def _canonical(name: str) -> str:
    """A MAC address as the boot log writes it; any other name as it is."""
    return canonical_mac(name) if _ADDRESS.fullmatch(name.strip()) else name


def _learn(session: Session, events: Iterable[Event]) -> None:
    for event in events:
        if is_made_up(event.mac):
            continue  # nobody owns it
        match event:
            case Discovered(mac=mac, nic=nic) if mac:
                _seen(session, event, [nic] if nic else [])
            case PeReported(mac=mac) | PeOffline(mac=mac) if mac:
                _reported(session, event)


def _seen(session: Session, event: Discovered, nic: list[str]) -> None:
    """A machine asked for a boot; its card is news only while nothing better is known."""
    row = session.get(MachineRow, event.mac)
    if row is None:
        row = MachineRow(key=event.mac, source=IPXE, devices=[])
        session.add(row)
    row.seen_at = event.at
    row.firmware = event.firmware
    row.architecture = row.architecture or event.architecture
    if nic and row.source == IPXE:
        row.devices = nic
    session.flush()


def _reported(session: Session, event: PeReported | PeOffline) -> None:
    """A boot image told of every device; that outweighs everything else."""
    row = session.get(MachineRow, event.mac)
    if row is None:
        row = MachineRow(key=event.mac, source=IPXE, devices=[])
        session.add(row)
    row.seen_at = event.at
    row.image_name = event.image
    devices = event.devices.replace(",", " ").split()
    if devices:
        row.source, row.devices = REPORT, devices
    if isinstance(event, PeReported) and event.architecture:
        row.architecture = event.architecture
    session.flush()


def _machine(row: MachineRow | Row[Any]) -> KnownMachine:
    return KnownMachine(
        key=row.key,
        source=row.source,
        devices=_devices(row.source, tuple(row.devices)),
        architecture=row.architecture or "",
        firmware=row.firmware or "",
        image=row.image_name or "",
        seen_at=row.seen_at,
        authority=row.authority or "",
    )


@lru_cache(DEVICE_LISTS_KNOWN)
def _devices(source: str, lines: tuple[str, ...]) -> tuple[Device, ...]:
    """Read once for all machines of one make."""
    match source:
        case "ipxe":
            found = (from_bus_id(line) for line in lines)
            return tuple(device for device in found if device is not None)
        case "report":
            return from_report(" ".join(lines))
        case _:
            return parse_devices("\n".join(lines)).devices
