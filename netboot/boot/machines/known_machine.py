"""What is known of a machine, and what an event adds to it.

The only source of machines that nobody listed: a boot request shows one, its boot image's report
tells all of its devices.
"""

from dataclasses import dataclass, field, replace
from functools import lru_cache

from netboot.boot.told.check_machines import is_made_up
from netboot.boot.told.events import Discovered, Event, PeOffline, PeReported, ScriptServed
from netboot.images.coverage import Machine
from netboot.images.drivers.device import Device, from_bus_id, from_report, parse_devices

REPORT, IPXE, LIST = "report", "ipxe", "list"

DEVICE_LISTS_KNOWN = 20_000
"""So many makes of machines are read once each; their machines share what was read."""


@dataclass(frozen=True, slots=True)
class DeviceList:
    """Devices as somebody told them: `source` says who, `lines` are the words."""

    source: str
    lines: tuple[str, ...]
    devices: tuple[Device, ...] = field(compare=False)  # the lines, once more


NOTHING = DeviceList(IPXE, (), ())


@dataclass(frozen=True, slots=True)
class KnownMachine:
    """A machine: `key` is its MAC address or the name of its list; `seen_at` epoch seconds.

    `told` are its devices and how they are known: "report" (its own boot image told all of
    them), "ipxe" (only the network card it booted from), "list" (somebody gave a list).
    `authority` is whose UEFI boot loader it needs, empty where nobody said.
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
        """How its devices are known."""
        return self.told.source

    @property
    def devices(self) -> tuple[Device, ...]:
        """Its devices, as far as they are known."""
        return self.told.devices

    @property
    def fate(self) -> tuple[str, str, DeviceList]:
        """What, beside its key, decides which image it gets and whether that will drive it."""
        return self.firmware, self.architecture, self.told

    def as_machine(self) -> Machine:
        """What coverage is computed from."""
        return Machine(self.key, self.told.devices)


@lru_cache(DEVICE_LISTS_KNOWN)
def device_list(source: str, lines: tuple[str, ...]) -> DeviceList:
    """The devices that these lines tell. Raises InvalidInput for a list by hand without any."""
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
    """The machine that an event shows, as it is known from then on; None where it shows nothing.

    `known` are machines by key.
    """
    if is_made_up(event.mac):
        return None  # nobody owns it
    match event:
        case Discovered(mac=mac) if mac:
            return _seen(known.get(mac) or new_machine(mac), event)
        case PeReported(mac=mac) | PeOffline(mac=mac) if mac:
            return _reported(known.get(mac) or new_machine(mac), event)
        case ScriptServed(mac=mac, architecture=told) if told and mac in known:
            return _looked_up(known[mac], told)
    return None


def new_machine(key: str) -> KnownMachine:
    """A machine of which nothing is known yet."""
    return KnownMachine(key, NOTHING, architecture="", firmware="", image="", seen_at=0.0)


def _seen(machine: KnownMachine, event: Discovered) -> KnownMachine:
    """A machine asked for a boot; its card is news only while nothing better is known."""
    card = event.nic and machine.source == IPXE
    return replace(
        machine,
        told=device_list(IPXE, (event.nic,)) if card else machine.told,
        architecture=machine.architecture or event.architecture,
        firmware=event.firmware,
        seen_at=event.at,
    )


def _looked_up(machine: KnownMachine, architecture: str) -> KnownMachine | None:
    """A script had the processor looked at: a BIOS client says "x86" of every one."""
    if machine.source == REPORT or machine.architecture == architecture:
        return None
    return replace(machine, architecture=architecture)


def _reported(machine: KnownMachine, event: PeReported | PeOffline) -> KnownMachine:
    """A boot image told of every device; that outweighs everything else."""
    devices = tuple(event.devices.replace(",", " ").split())
    told = event.architecture if isinstance(event, PeReported) else ""
    return replace(
        machine,
        told=device_list(REPORT, devices) if devices else machine.told,
        architecture=told or machine.architecture,
        image=event.image,
        seen_at=event.at,
    )
