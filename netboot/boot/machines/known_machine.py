"""A known machine, and what an event adds to it.

A boot request shows a machine, and the report of its boot image lists all of its devices. The only
other source is a list that an administrator imports.
"""

from dataclasses import dataclass, field, replace
from functools import lru_cache

from netboot.boot.told.check_machines import is_made_up
from netboot.boot.told.events import Discovered, Event, PeOffline, PeReported, ScriptServed
from netboot.images.coverage import Machine
from netboot.images.drivers.device import Device, from_bus_id, from_report, parse_devices

REPORT, IPXE, LIST = "report", "ipxe", "list"

DEVICE_LISTS_KNOWN = 20_000
"""Distinct lists that are parsed once each; machines of one model share them."""


@dataclass(frozen=True, slots=True)
class DeviceList:
    """Devices as `source` reported them: `lines` as text."""

    source: str
    lines: tuple[str, ...]
    devices: tuple[Device, ...] = field(compare=False)  # the parsed lines


NOTHING = DeviceList(IPXE, (), ())


@dataclass(frozen=True, slots=True)
class KnownMachine:
    """A machine: `key` is its MAC address or the name of its list; `seen_at` epoch seconds.

    `told` are its devices and their source: "report" (its own boot image reported all of them),
    "ipxe" (only the network card that it booted from), "list" (an administrator imported a list).
    `authority` is the signing authority of the UEFI boot loader that it needs; empty: not set.
    """

    key: str
    told: DeviceList
    architecture: str
    firmware: str
    image: str
    seen_at: float
    authority: str = ""

    @property
    def source(self) -> str:
        return self.told.source

    @property
    def devices(self) -> tuple[Device, ...]:
        return self.told.devices

    @property
    def fate(self) -> tuple[str, str, DeviceList]:
        """With its key, all that decides which image it gets and whether that has its drivers."""
        return self.firmware, self.architecture, self.told

    def as_machine(self) -> Machine:
        return Machine(self.key, self.told.devices)


@lru_cache(DEVICE_LISTS_KNOWN)
def device_list(source: str, lines: tuple[str, ...]) -> DeviceList:
    """Parse the lines. Raises InvalidInput for an imported list without devices."""
    match source:
        case "ipxe":
            found = (from_bus_id(line) for line in lines)
            devices = tuple(device for device in found if device is not None)
        case "report":
            devices = from_report(" ".join(lines))
        case _:
            devices = parse_devices("\n".join(lines)).devices
    return DeviceList(source, lines, devices)


def machine_after(event: Event, known: dict[str, KnownMachine]) -> KnownMachine | None:
    """The machine after an event, or None if the event shows none. `known` are machines by key."""
    if is_made_up(event.mac):
        return None
    match event:
        case Discovered(mac=mac) if mac:
            return _seen(known.get(mac) or new_machine(mac), event)
        case PeReported(mac=mac) | PeOffline(mac=mac) if mac:
            return _reported(known.get(mac) or new_machine(mac), event)
        case ScriptServed(mac=mac, architecture=looked_up) if looked_up and mac in known:
            machine = known[mac]
            # A report knows better. A BIOS client's own architecture is always "x86".
            if machine.source != REPORT and machine.architecture != looked_up:
                return replace(machine, architecture=looked_up)
    return None


def new_machine(key: str) -> KnownMachine:
    return KnownMachine(key, NOTHING, architecture="", firmware="", image="", seen_at=0.0)


def _seen(machine: KnownMachine, event: Discovered) -> KnownMachine:
    """After a boot request; its network card is used only if no longer list is known."""
    card = event.nic and machine.source == IPXE
    return replace(
        machine,
        told=device_list(IPXE, (event.nic,)) if card else machine.told,
        architecture=machine.architecture or event.architecture,
        firmware=event.firmware,
        seen_at=event.at,
    )


def _reported(machine: KnownMachine, event: PeReported | PeOffline) -> KnownMachine:
    """After a boot image's report of all devices, which replaces everything else."""
    devices = tuple(event.devices.replace(",", " ").split())
    architecture = event.architecture if isinstance(event, PeReported) else ""
    return replace(
        machine,
        told=device_list(REPORT, devices) if devices else machine.told,
        architecture=architecture or machine.architecture,
        image=event.image,
        seen_at=event.at,
    )
