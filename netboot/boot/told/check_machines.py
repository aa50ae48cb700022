"""The machines that `netboot check` simulates; the boot log ignores them.

Their addresses are locally administered (IEEE 802, the 2 in the first byte) and spell "nb".
"""

from typing import Final

MAC_PREFIX: Final = "02:6e:62"


def is_made_up(mac: str) -> bool:
    """Whether only `netboot check` uses this MAC address."""
    return mac.startswith(MAC_PREFIX)
