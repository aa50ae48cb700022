"""What a device is for, guessed from its name in pci.ids where no list says its class."""

import re

from netboot.images.drivers.driver import DriverKind

# The words that vendors use. Storage comes first: "Ethernet Storage" is iSCSI.
_WORDS = {
    DriverKind.STORAGE: r"""
        sata ahci nvme nvm\ ?express ssd raid megaraid scsi sas ide storage fibre\ channel emmc
        disk volume\ management optane hba
    """,
    DriverKind.NETWORK: r"""
        ethernet network networking gigabit \d+\ ?gbe? \d+(?:/\d+)*base-?t\w* wi-?fi wireless wlan
        802\.11\w* nic lan infiniband connectx\S* netxtreme\S*
    """,
}


def _pattern(words: str) -> re.Pattern[str]:
    """Any of the words; a blank inside of one is escaped."""
    choices = "|".join(re.split(r"(?<!\\)\s+", words.strip()))
    return re.compile(rf"(?<![a-z0-9])(?:{choices})(?![a-z])", re.IGNORECASE)


_KINDS = tuple((kind, _pattern(words)) for kind, words in _WORDS.items())
# Such words also name other devices of a network or storage chip.
_OTHER = re.compile(
    r"\b(?:audio|bridge|root port|usb|smbus|thunderbolt|host controller)\b", re.IGNORECASE
)
_SURE = re.compile(r"\b(?:ethernet|sata|nvme)\b", re.IGNORECASE)


def kind_of_name(name: str) -> DriverKind | None:
    """Network or storage, or None if the name does not say it."""
    if _OTHER.search(name) and not _SURE.search(name):
        return None
    return next((kind for kind, words in _KINDS if words.search(name)), None)
