"""Machines that nobody owns: `netboot check` pretends to be them, the boot log passes over them.

Their addresses are locally administered (IEEE 802, the 2 of the first byte) and spell "nb".
"""

from typing import Final

MAC_PREFIX: Final = "02:6e:62"


def is_made_up(mac: str) -> bool:
    """Whether this MAC address is one that only `netboot check` uses."""
    return mac.startswith(MAC_PREFIX)
