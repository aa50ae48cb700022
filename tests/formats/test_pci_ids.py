"""Names of PCI devices, from the form of pciutils' list."""

from pathlib import Path

import pytest

from netboot.formats.pci_ids import device_names

LIST = """# comment
# 8086  no vendor
1000  Broadcom / LSI
\t100e  not this
8086  Intel Corporation
\t100e  82540EM Gigabit Ethernet Controller
\t\t1014 0265  PRO/1000 MT Network Connection
\t2922  82801IR/IO/IH (ICH9R/DO/DH) 6 port SATA Controller [AHCI mode]
C 02  Network controller
\t00  Ethernet controller
"""


def test_names_of_the_wanted_devices():
    """Of the right vendor, not of a subsystem or a class."""
    wanted = {("8086", "100E"), ("8086", "0265"), ("1AF4", "1000"), ("C 02", "00")}
    assert device_names(LIST, wanted) == {("8086", "100E"): "82540EM Gigabit Ethernet Controller"}


@pytest.mark.parametrize("text", ["", "\n\t\n\t\t\n", "x", "8086", "\t100e  lost"])
def test_any_text_is_read(text):
    assert device_names(text, {("8086", "100E")}) == {}


def test_debians_list():
    path = Path("/usr/share/misc/pci.ids")
    if not path.exists():
        pytest.skip("pci.ids is not installed")
    names = device_names(path.read_text("utf-8", "replace"), {("8086", "100E"), ("1AF4", "1000")})
    assert "Ethernet" in names["8086", "100E"]
    assert "network" in names["1AF4", "1000"].lower()
