"""Which drivers of the catalog would bring up a device that a boot image lacks a driver for."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from netboot.errors import NotFound
from netboot.images.drivers.device import Device
from netboot.images.drivers.driver import Driver, DriverKind
from netboot.operations.images.view import ImageView, get_image
from netboot.operations.machines.coverage import candidates
from netboot.site import Site

SHOWN = 3
_SHORT = re.compile(r"(?:(net|storage):)?\b([0-9a-fA-F]{4}):([0-9a-fA-F]{4})\b")
_LONG = re.compile(r"VEN_([0-9A-F]{4})&DEV_([0-9A-F]{4})")


@dataclass(frozen=True, slots=True)
class Fitting:
    """Drivers for the missing devices, best first, and the image that they are for.

    `held` are those that the image's recipe already contains: it only has to be built.
    """

    image: ImageView
    drivers: tuple[Driver, ...]
    held: frozenset[str]


def find_fitting(site: Site, missing: str, image: str) -> Fitting | None:
    """The catalog's drivers for `missing`, as a boot reports it; None without the image."""
    try:
        view = get_image(site, image)
    except NotFound:
        return None
    best = {
        match.driver.digest: match.driver
        for device in _devices(missing)
        for match in candidates(site, device, view.architecture, build=view.facts.build)[:SHOWN]
    }
    held = frozenset(driver.digest for driver in view.drivers)
    return Fitting(view, tuple(best.values()), held)


def _devices(missing: str) -> Iterator[Device]:
    """The devices in `net:8086:100e` or `VEN_8086&DEV_10D3`."""
    for kind, vendor, device in _SHORT.findall(missing):
        said = DriverKind.STORAGE if kind == "storage" else DriverKind.NETWORK
        yield Device(vendor.upper(), device.upper(), said_kind=said)
    for vendor, device in _LONG.findall(missing.upper()):
        yield Device(vendor, device, said_kind=DriverKind.NETWORK)
