"""What pci.ids' names say of a device; the names are from there."""

import pytest

from netboot.images.drivers.driver import DriverKind
from netboot.images.drivers.named_kind import kind_of_name

NET, DISK = DriverKind.NETWORK, DriverKind.STORAGE


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("82540EM Gigabit Ethernet Controller", NET),
        ("Ethernet Connection (6) I219-LM", NET),
        ("Virtio network device", NET),
        ("Wireless 8265 / 8275", NET),
        ("Wi-Fi 6 AX200", NET),
        ("MT27710 Family [ConnectX-4 Lx]", NET),
        ("82599ES 10-Gigabit SFI/SFP+ Network Connection", NET),
        ("RTL8111/8168/8411 PCI Express Gigabit Ethernet Controller", NET),
        ("Q170/Q150/B150/H170/H110/Z170/CM236 Chipset SATA Controller [AHCI Mode]", DISK),
        ("NVMe SSD Controller SM981/PM981/PM983", DISK),
        ("MegaRAID SAS-3 3108 [Invader]", DISK),
        ("Volume Management Device NVMe RAID Controller", DISK),
        ("53c810", None),
        ("Virtio SCSI", DISK),
        ("Sunrise Point-H USB 3.0 xHCI Controller", None),
        ("UHD Graphics 620", None),
        ("440FX - 82441FX PMC [Natoma]", None),
        ("Sunrise Point-LP HD Audio", None),
        ("Xeon E3-1200 PCI Express Root Port", None),
        ("", None),
    ],
)
def test_names_of_pci_ids(name, kind):
    assert kind_of_name(name) is kind
