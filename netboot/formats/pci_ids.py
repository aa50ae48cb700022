"""The names of PCI devices in pci.ids, the list of pciutils (pci-ids.ucw.cz; its head explains it).

A vendor is a line `8086  Intel Corporation`, its devices follow with one tab, their subsystems with
two. Classes begin with `C`; nothing here needs them.
"""

from collections.abc import Collection

Id = tuple[str, str]


def device_names(text: str, wanted: Collection[Id]) -> dict[Id, str]:
    """The names of the wanted devices (vendor, device; upper case), as far as they are listed."""
    vendors = {vendor for vendor, _ in wanted}
    found: dict[Id, str] = {}
    vendor = ""
    for line in text.splitlines():
        if line[:1] == "\t":
            if not vendor or line[1:2] == "\t":
                continue
            device, _, name = line[1:].partition("  ")
            key = (vendor, device.upper())
            if key in wanted:
                found[key] = name.strip()
        elif line and line[0] != "#":
            first = line[:4].upper()
            is_vendor = line[4:6] == "  " and line[:2] != "C "
            vendor = first if is_vendor and first in vendors else ""
    return found
