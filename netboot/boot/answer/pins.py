"""Which content version a machine keeps during one boot.

A loader requests its configuration, RAM disk and image one after the other. An update of the
distribution point in between must not give it files of two versions, so the first answer of a
boot pins a version to the machine, and all later requests of that boot get this version.

A boot begins with a DISCOVER, and no file is sent before its answer. So every answered DISCOVER
pins again (`fresh=True`): a machine that is switched on again gets what is published now. Requests
on port 4011, scripts and read requests keep the pin.

Law: memory is bounded. Machines with a known address are kept apart from those that have only
asked, so that a flood of invented MAC addresses cannot displace a running boot.
"""

from collections import OrderedDict
from dataclasses import replace
from typing import NamedTuple

from netboot.boot.told.events import Event
from netboot.images.versions.content_version import ContentVersion

LIFETIME = 15 * 60.0
"""Seconds that a pin is valid after the answer that made it."""


class Pin(NamedTuple):
    """The version for a machine. `mac` or `ip` may be empty, not both; `at` in seconds."""

    mac: str
    ip: str
    version: ContentVersion | None
    firmware: str
    at: float


class Sessions:
    """The pins of all machines. `now` is any monotonic clock in seconds."""

    def __init__(self, *, lifetime: float = LIFETIME, capacity: int = 8192) -> None:
        self._lifetime = lifetime
        self._capacity = capacity
        self._by_ip: OrderedDict[str, Pin] = OrderedDict()
        self._waiting: OrderedDict[str, Pin] = OrderedDict()
        self._ip_of: dict[str, str] = {}

    def pin(
        self,
        *,
        mac: str,
        ip: str,
        version: ContentVersion | None,
        firmware: str,
        now: float,
        fresh: bool = False,
    ) -> ContentVersion | None:
        """Pin `version`, unless this boot has a pin already; returns the pinned version.

        `fresh`: the boot has just begun, with a DISCOVER.
        """
        held = self._find(mac, ip, now)
        if held and held.version is not None and not fresh:
            self._store(held._replace(mac=mac or held.mac, ip=ip or held.ip))
            return held.version
        known_ip = ip or (held.ip if held else self._ip_of.get(mac, ""))
        known_mac = mac or (held.mac if held else "")
        known_firmware = firmware or (held.firmware if held else "")
        self._store(Pin(known_mac, known_ip, version, known_firmware, now))
        return version

    def learn(self, mac: str, ip: str, now: float) -> None:
        """The machine `mac` has the address `ip` now, and no other machine has it."""
        held = self._find(mac, "", now)
        self._forget_address(ip)
        self._store(held._replace(ip=ip) if held else Pin(mac, ip, None, "", now))

    def version_for(self, ip: str, now: float) -> ContentVersion | None:
        """The version that is pinned to the machine at `ip`."""
        pin = self._find("", ip, now)
        return pin.version if pin else None

    def firmware_for(self, ip: str, now: float) -> str:
        """The firmware of the machine at `ip`; empty if unknown."""
        pin = self._find("", ip, now)
        return pin.firmware if pin else ""

    def mac_of(self, ip: str, now: float) -> str:
        """The MAC address of the machine at `ip`; empty if unknown."""
        pin = self._find("", ip, now)
        return pin.mac if pin else ""

    def identified(self, event: Event, now: float) -> Event:
        """The event with the machine's MAC address, if it had the IP address only."""
        if event.mac or not event.ip:
            return event
        mac = self.mac_of(event.ip, now)
        return replace(event, mac=mac) if mac else event

    def __len__(self) -> int:
        return len(self._by_ip) + len(self._waiting)

    def _find(self, mac: str, ip: str, now: float) -> Pin | None:
        """The machine's valid pin, by either address."""
        pin = self._by_ip.get(ip) if ip else None
        if pin is not None and mac and pin.mac and pin.mac != mac:
            pin = None  # another machine has this address now
        if pin is None and mac:
            pin = self._by_ip.get(self._ip_of.get(mac, "")) or self._waiting.get(mac)
        if pin is None or now - pin.at >= self._lifetime:
            return None
        return pin

    def _store(self, pin: Pin) -> None:
        """Store the pin by IP address if it is known, and drop the oldest beyond the limit."""
        self._waiting.pop(pin.mac, None)
        old_ip = self._ip_of.get(pin.mac)
        if old_ip is not None:
            self._forget_address(old_ip)
        if not pin.ip:
            self._waiting[pin.mac] = pin
        else:
            self._forget_address(pin.ip)
            self._by_ip[pin.ip] = pin
            if pin.mac:
                self._ip_of[pin.mac] = pin.ip
        while len(self._waiting) > self._capacity:
            self._waiting.popitem(last=False)
        while len(self._by_ip) > self._capacity:
            self._forget_address(next(iter(self._by_ip)))

    def _forget_address(self, ip: str) -> None:
        pin = self._by_ip.pop(ip, None)
        if pin is not None:
            self._ip_of.pop(pin.mac, None)
