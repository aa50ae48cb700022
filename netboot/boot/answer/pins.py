"""Which content version a machine keeps for the length of one boot.

A loader asks for its configuration, its RAM disk and its image one after the other; an
update of the distribution point in between must not hand it a mix of two versions. So the
first answer of a boot pins a version to the machine, and every later request of that boot
gets the pinned one.

A boot begins with a DISCOVER. No file of a version has been sent before it is answered, so
every answered DISCOVER pins afresh (`fresh=True`: a machine that is switched on again gets
what is published now); requests on 4011, scripts and read requests keep what is pinned.

Law: memory is bounded. Machines whose address is known are kept apart from those that have
only asked, so a flood of made-up MAC addresses can't push a running boot out.
"""

from collections import OrderedDict
from dataclasses import replace
from typing import NamedTuple

from netboot.boot.told.events import Event
from netboot.images.versions.content_version import ContentVersion

LIFETIME = 15 * 60.0
"""Seconds that a pin holds, counted from the answer that made it."""


class Pin(NamedTuple):
    """What a machine was promised. `mac` or `ip` may be empty, not both; `at` in seconds."""

    mac: str
    ip: str
    version: ContentVersion | None
    firmware: str
    at: float


class Sessions:
    """The pins of all machines. `now` is any clock in seconds that only runs forward."""

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
        """Pin `version`, unless the machine's boot has one already; return what it keeps.

        `fresh` says that the machine has just begun (it sent a DISCOVER).
        """
        held = self._find(mac, ip, now)
        if held and held.version is not None and not fresh:
            self._store(held._replace(mac=mac or held.mac, ip=ip or held.ip))
            return held.version
        known_ip = ip or (held.ip if held else self._ip_of.get(mac, ""))
        known_mac = mac or (held.mac if held else "")
        known_firmware = firmware or (held.firmware if held else "")
        self._store(
            Pin(mac=known_mac, ip=known_ip, version=version, firmware=known_firmware, at=now)
        )
        return version

    def learn(self, mac: str, ip: str, now: float) -> None:
        """The machine `mac` has taken the address `ip`, so no other machine has it now."""
        held = self._find(mac, "", now)
        self._forget_address(ip)
        self._store((held and held._replace(ip=ip)) or _nothing(mac, ip, now))

    def version_for(self, ip: str, now: float) -> ContentVersion | None:
        """The version that the machine at `ip` keeps, if a boot of its own pinned one."""
        pin = self._find("", ip, now)
        return pin.version if pin else None

    def firmware_for(self, ip: str, now: float) -> str:
        """What firmware the machine at `ip` said that it has; empty when it did not say."""
        pin = self._find("", ip, now)
        return pin.firmware if pin else ""

    def mac_of(self, ip: str, now: float) -> str:
        """The machine at `ip`, if it has told us; empty otherwise."""
        pin = self._find("", ip, now)
        return pin.mac if pin else ""

    def identified(self, event: Event, now: float) -> Event:
        """The event with the machine's MAC address filled in where only the IP was known."""
        if event.mac or not event.ip:
            return event
        mac = self.mac_of(event.ip, now)
        return replace(event, mac=mac) if mac else event

    def __len__(self) -> int:
        return len(self._by_ip) + len(self._waiting)

    def _find(self, mac: str, ip: str, now: float) -> Pin | None:
        """The machine's living pin, by either name."""
        pin = self._by_ip.get(ip) if ip else None
        if pin is not None and mac and pin.mac and pin.mac != mac:
            pin = None  # the address has changed hands
        if pin is None and mac:
            pin = self._by_ip.get(self._ip_of.get(mac, "")) or self._waiting.get(mac)
        if pin is None or now - pin.at >= self._lifetime:
            return None
        return pin

    def _store(self, pin: Pin) -> None:
        """Keep the pin under the best name there is, and no more pins than may be."""
        self._drop(pin.mac)
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

    def _drop(self, mac: str) -> None:
        """Forget all that is kept under this MAC address."""
        self._waiting.pop(mac, None)
        ip = self._ip_of.get(mac)
        if ip is not None:
            self._forget_address(ip)

    def _forget_address(self, ip: str) -> None:
        """Forget what is kept under this IP address."""
        pin = self._by_ip.pop(ip, None)
        if pin is not None:
            self._ip_of.pop(pin.mac, None)


def _nothing(mac: str, ip: str, now: float) -> Pin:
    """A machine that has told its address and was promised nothing."""
    return Pin(mac=mac, ip=ip, version=None, firmware="", at=now)
