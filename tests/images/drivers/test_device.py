"""netboot.images.drivers.device: ids as Windows makes them, and the lists that people paste."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netboot.errors import InvalidInput
from netboot.images.drivers.device import Device, from_bus_id, from_report, parse_devices
from netboot.images.drivers.driver import DriverKind

NET, DISK = DriverKind.NETWORK, DriverKind.STORAGE
WINDOWS_7, WINDOWS_10 = 7601, 19041
I219 = Device("8086", "15BE", "224F17AA", "30", "020000")


def test_hardware_ids_until_windows_8():
    """The order of "Identifiers for PCI Devices"."""
    assert I219.hardware_ids(WINDOWS_7) == (
        "PCI\\VEN_8086&DEV_15BE&SUBSYS_224F17AA&REV_30",
        "PCI\\VEN_8086&DEV_15BE&SUBSYS_224F17AA",
        "PCI\\VEN_8086&DEV_15BE&REV_30",
        "PCI\\VEN_8086&DEV_15BE",
        "PCI\\VEN_8086&DEV_15BE&CC_020000",
        "PCI\\VEN_8086&DEV_15BE&CC_0200",
    )


def test_hardware_ids_since_windows_10():
    """Device Manager of Windows 10 lists these four."""
    assert I219.hardware_ids(WINDOWS_10) == (
        "PCI\\VEN_8086&DEV_15BE&SUBSYS_224F17AA&REV_30",
        "PCI\\VEN_8086&DEV_15BE&SUBSYS_224F17AA",
        "PCI\\VEN_8086&DEV_15BE&CC_020000",
        "PCI\\VEN_8086&DEV_15BE&CC_0200",
    )


def test_compatible_ids():
    """From the chip to the class, the same in all versions."""
    assert I219.compatible_ids() == (
        "PCI\\VEN_8086&DEV_15BE&REV_30",
        "PCI\\VEN_8086&DEV_15BE",
        "PCI\\VEN_8086&CC_020000",
        "PCI\\VEN_8086&CC_0200",
        "PCI\\VEN_8086",
        "PCI\\CC_020000",
        "PCI\\CC_0200",
    )


def test_what_is_not_known_is_left_out():
    """Without subsystem, revision and class only the chip and its vendor remain."""
    device = Device("8086", "100E")
    assert (
        device.hardware_ids(WINDOWS_10),
        device.compatible_ids(),
    ) == ((), ("PCI\\VEN_8086&DEV_100E", "PCI\\VEN_8086"))


def test_the_usual_interface_fills_a_short_class():
    """AHCI and NVMe are claimed by six digits, and plain lspci names four."""
    ids = Device("8086", "2922", class_code="0106").compatible_ids()
    assert {"PCI\\CC_010601", "PCI\\CC_0106"} <= set(ids)
    assert "PCI\\CC_0180" in Device("1", "2", class_code="0180").compatible_ids()


@pytest.mark.parametrize(
    ("device", "kind"),
    [
        (Device("1", "2", class_code="0200"), NET),
        (Device("1", "2", class_code="0280"), NET),
        (Device("1", "2", class_code="010802"), DISK),
        (Device("1", "2", class_code="0604"), DriverKind.SYSTEM),
        (Device("1", "2", class_code="0300"), DriverKind.OTHER),
        (Device("1", "2"), None),
        (Device("1", "2", said_kind=NET), NET),
    ],
)
def test_kind(device, kind):
    """The class code tells; without one, whoever named the device."""
    assert kind == device.kind


LSPCI = """\
00:00.0 Host bridge [0600]: Intel Corporation 440FX - 82441FX PMC [Natoma] [8086:1237] (rev 02)
00:01.1 IDE interface [0101]: Intel Corporation 82371SB PIIX3 IDE [Triton] [8086:7010]
00:03.0 Ethernet controller [0200]: Red Hat, Inc. Virtio network device [1af4:1000]
\tSubsystem: Red Hat, Inc. Device [1af4:0001]
\tKernel driver in use: virtio-pci
0000:04:00.0 NVMe controller [0108]: Samsung SM981 [144d:a808] (prog-if 02)
\tSubsystem: Samsung Electronics Co Ltd SSD 970 EVO [144d:a801]
"""


def test_lspci_with_names_and_numbers():
    """Subsystems are turned round, as Windows writes them; revision 0 is not printed."""
    parsed = parse_devices(LSPCI)
    assert parsed.unread == ()
    assert parsed.devices == (
        Device("8086", "1237", "", "02", "0600", "Intel Corporation 440FX - 82441FX PMC [Natoma]"),
        Device("8086", "7010", "", "00", "0101", "Intel Corporation 82371SB PIIX3 IDE [Triton]"),
        Device("1AF4", "1000", "00011AF4", "00", "0200", "Red Hat, Inc. Virtio network device"),
        Device("144D", "A808", "A801144D", "00", "010802", "Samsung SM981"),
    )  # fmt: skip


def test_lspci_with_numbers_only():
    text = "00:1f.6 0200: 8086:15be (rev 30)\n00:17.0 0106: 8086:9d03 (rev 21)\n"
    assert (
        Device("8086", "15BE", "", "30", "0200"),
        Device("8086", "9D03", "", "21", "0106"),
    ) == parse_devices(text).devices


PNP = """\
Class       InstanceId
-----       ----------
Net         PCI\\VEN_8086&DEV_15BE&SUBSYS_224F17AA&REV_30\\3&11583659&0&FE
SCSIAdapter PCI\\VEN_144D&DEV_A808&SUBSYS_A801144D&REV_00\\4&1C3E8A1F&0&00E8
Display     PCI\\VEN_8086&DEV_5917&SUBSYS_225D17AA&REV_07\\3&11583659&0&10
Keyboard    ACPI\\LEN0071\\4&1ED3A2BD&0
Net         USB\\VID_0BDA&PID_8153\\000001000000
Net         VMBUS\\{f8615163-df3e-46c5-913f-f2d2f965ed0e}\\{5620e0c7}
Volume      STORAGE\\Volume\\{1234}
"""


def test_pnp_device_ids():
    """A table from Windows: the class word is heard, other buses are passed over."""
    parsed = parse_devices(PNP)
    assert parsed.unread == ()
    assert parsed.devices == (
        Device("8086", "15BE", "224F17AA", "30", said_kind=NET),
        Device("144D", "A808", "A801144D", "00", said_kind=DISK),
        Device("8086", "5917", "225D17AA", "07"),
        Device(other_ids=("USB\\VID_0BDA&PID_8153",), said_kind=NET),
        Device(other_ids=("VMBUS\\{F8615163-DF3E-46C5-913F-F2D2F965ED0E}",), said_kind=NET),
    )


@pytest.mark.parametrize(
    "line",
    [
        "PCI\\VEN_8086&DEV_15BE&SUBSYS_224F17AA&REV_30",
        "pci\\ven_8086&dev_15be&subsys_224f17aa&rev_30\\3&0&FE",
        '"InstanceId": "PCI\\\\VEN_8086&DEV_15BE&SUBSYS_224F17AA&REV_30\\\\3"',
        "PC1,PCI\\VEN_8086&amp;DEV_15BE&amp;SUBSYS_224F17AA&amp;REV_30\\3&amp;0",
        "{PCI\\VEN_8086&DEV_15BE&SUBSYS_224F17AA&REV_30, PCI\\VEN_8086&DEV_15BE}",
    ],
)
def test_pnp_ids_however_they_were_exported(line):
    """Bare, in lower case, as JSON, as CSV of wmic, as a list of hardware ids."""
    assert (Device("8086", "15BE", "224F17AA", "30"),) == parse_devices(line).devices


def test_a_boot_image_s_report():
    """`vendor:device:class:subsystem` words, or what is missing with its kind."""
    assert from_report("8086:100e:0200:11001af4 8086:7010:0101:00000000") == (
        Device("8086", "100E", "11001AF4", "", "0200"),
        Device("8086", "7010", "", "", "0101"),
    )
    assert from_report("net:8086:100e storage:1af4:1001") == (
        Device("8086", "100E", said_kind=NET),
        Device("1AF4", "1001", said_kind=DISK),
    )
    assert from_report("") == ()
    assert parse_devices("8086:100e, 8086:10d3").devices == (
        Device("8086", "100E"),
        Device("8086", "10D3"),
    )


@pytest.mark.parametrize("text", ["01:80:86:10:0e", "01-80-86-10-0e", "018086100e", " 8086:100E "])
def test_ipxe_bus_id(text):
    """A network card by iPXE's setting, in its spellings."""
    assert Device("8086", "100E", said_kind=NET) == from_bus_id(text)


@pytest.mark.parametrize("text", ["", "02:80:86:10:0e", "usb", "01:80:86"])
def test_what_is_no_bus_id(text):
    """Other buses and other texts are nothing."""
    assert from_bus_id(text) is None


def test_what_nobody_understands_is_shown():
    """Lines that name something but no device come back to the reader."""
    parsed = parse_devices("8086:100e\nEthernet adapter number 3\nHeading\n")
    assert ((Device("8086", "100E"),), ("Ethernet adapter number 3",)) == (
        parsed.devices,
        parsed.unread,
    )


@pytest.mark.parametrize("text", ["", "hello", "Keyboard ACPI\\LEN0071\\4"])
def test_a_list_without_devices_is_refused(text):
    """With a hint what to paste."""
    with pytest.raises(InvalidInput) as raised:
        parse_devices(text)
    assert "lspci -nn" in raised.value.hint


def test_a_list_that_is_too_long_is_refused():
    """A megabyte, or thousands of devices, are of no one machine."""
    with pytest.raises(InvalidInput, match="megabyte"):
        parse_devices("x" * ((1 << 20) + 1))
    with pytest.raises(InvalidInput, match="2000"):
        parse_devices("\n".join(f"8086:{n:04x}" for n in range(2001)))


def test_the_same_device_twice_is_one():
    """Two cards of one kind need one driver."""
    assert len(parse_devices("8086:100e\n8086:100e\n").devices) == 1


@given(st.text(max_size=300))
def test_any_text_gives_devices_or_a_refusal(text):
    """Whatever is pasted."""
    try:
        assert parse_devices(text).devices
    except InvalidInput:
        return
