"""The names of PCI devices, from the list that Debian's package pci.ids installs."""

from collections.abc import Collection
from pathlib import Path

from netboot.formats.pci_ids import Id, device_names

PLACES = (Path("/usr/share/misc/pci.ids"), Path("/usr/share/hwdata/pci.ids"))


def names_of(wanted: Collection[Id]) -> dict[Id, str]:
    """The names of these devices; none if the list is not installed."""
    for place in PLACES:
        try:
            return device_names(place.read_text("utf-8", "replace"), wanted)
        except OSError:
            continue
    return {}
