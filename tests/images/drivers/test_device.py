"""netboot.images.drivers.device: ids as Windows makes them, and the lists that people paste."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netboot.errors import InvalidInput
from netboot.images.drivers.device import (
    Device,
    from_bus_id,
    from_report,
    hint_line,
    parse_devices,
)
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
    """A table from Windows: the class word is heard, what no boot needs is left out by name."""
    parsed = parse_devices(PNP)
    assert (parsed.unread, parsed.left_out) == ((), ("ACPI\\LEN0071", "STORAGE\\VOLUME"))
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
    parsed = parse_devices("8086:100e\nEthernet adapter number 3\nnonsense\n-----\n")
    assert ((Device("8086", "100E"),), ("Ethernet adapter number 3", "nonsense")) == (
        parsed.devices,
        parsed.unread,
    )


@pytest.mark.parametrize("text", ["", "hello", "Keyboard ACPI\\LEN0071\\4"])
def test_a_list_without_devices_is_refused(text):
    """With a hint what to paste."""
    with pytest.raises(InvalidInput) as raised:
        parse_devices(text)
    assert "lspci -nn" in raised.value.hint
    assert "pnputil /enum-devices /connected" in raised.value.hint


@pytest.mark.parametrize(
    ("line", "identifier"),
    [
        ("XENVIF\\VEN_XP0001&DEV_NET&REV_08000009\\0", "XENVIF\\VEN_XP0001&DEV_NET&REV_08000009"),
        ("xenbus\\ven_xp0001&dev_vif", "XENBUS\\VEN_XP0001&DEV_VIF"),
        (
            "B06BDRV\\L2ND&PCI_164414E4&SUBSYS_12345678\\5&2f",
            "B06BDRV\\L2ND&PCI_164414E4&SUBSYS_12345678",
        ),
        ("ACPI\\80860F14\\2", "ACPI\\80860F14"),
        ('"MLX4\\\\CONNECTX-3_ETH\\\\1"', "MLX4\\CONNECTX-3_ETH"),
    ],
)
def test_devices_on_other_buses_are_devices(line, identifier):
    """By the id without the instance, which is what an INF names."""
    assert parse_devices(line).devices == (Device(other_ids=(identifier,)),)


@pytest.mark.parametrize(
    "line",
    ["SWD\\MSRRAS\\MS_NDISWANIP", "ROOT\\VMS_MP\\0000", "HID\\VID_0BDA&PID_1", "BTH\\MS_BTHPAN\\7"],
)
def test_devices_of_software_are_left_out(line):
    """Also those of class Net: a WAN miniport is no network card."""
    parsed = parse_devices(f"Class,InstanceId\nNet,{line}\n8086:100e")
    assert parsed.devices == (Device("8086", "100E"),)
    assert len(parsed.left_out) == 1


PNPUTIL = """Microsoft PnP Utility

Instanz-ID:                 PCI\\VEN_8086&DEV_15BE&SUBSYS_224F17AA&REV_30\\3&11583659&0&FE
Gerätebeschreibung:         Intel(R) Ethernet Connection (6) I219-LM
Klassenname:                Net
Klassen-GUID:               {4d36e972-e325-11ce-bfc1-08002be10318}
Name des Herstellers:       Intel
Status:                     Gestartet
Treibername:                oem12.inf

Instance ID:                PCI\\VEN_144D&DEV_A808&SUBSYS_A801144D&REV_00\\4&1C3E8A1F&0&00E8
Device Description:         Standard NVM Express Controller
Class Name:                 SCSIAdapter
Class GUID:                 {4d36e97b-e325-11ce-bfc1-08002be10318}
Hardware IDs:               PCI\\VEN_144D&DEV_A808&SUBSYS_A801144D&REV_00
                            PCI\\VEN_144D&DEV_A808&CC_010802

Instance ID:                XENVIF\\VEN_XP0001&DEV_NET&REV_08000009\\0
Device Description:         XenServer PV Network Device #0
Class Name:                 Net
Class GUID:                 {4d36e972-e325-11ce-bfc1-08002be10318}
Hardware IDs:               XENVIF\\VEN_XP0001&DEV_NET&REV_08000009
                            XENVIF\\DEVICE

Instance ID:                ACPI\\LEN0071\\4&1ED3A2BD&0
Device Description:         Keyboard
Class GUID:                 {4d36e96b-e325-11ce-bfc1-08002be10318}
"""


def test_pnputil_in_any_language():
    """The class is read from its GUID; ids below one label are of one device."""
    parsed = parse_devices(PNPUTIL)
    xen = ("XENVIF\\VEN_XP0001&DEV_NET&REV_08000009", "XENVIF\\DEVICE")
    i219, nvme = "Intel(R) Ethernet Connection (6) I219-LM", "Standard NVM Express Controller"
    assert parsed.devices == (
        Device("8086", "15BE", "224F17AA", "30", "", i219, said_kind=NET),
        Device("144D", "A808", "A801144D", "00", "010802", nvme, said_kind=DISK),
        Device(name="XenServer PV Network Device #0", other_ids=xen, said_kind=NET),
    )
    assert (parsed.unread, parsed.left_out) == ((), ("ACPI\\LEN0071",))


POWERSHELL = """#TYPE Selected.Microsoft.Management.Infrastructure.CimInstance
"Class","FriendlyName","InstanceId","HardwareID"
"Net","Intel, I219-LM","PCI\\VEN_8086&DEV_15BE&SUBSYS_224F17AA&REV_30\\3","PCI\\VEN_8086&CC_020000"
"Display","System display","PCI\\VEN_8086&DEV_5917&SUBSYS_225D17AA&REV_07\\3&10",""
"Net","WAN Miniport (IP)","SWD\\MSRRAS\\MS_NDISWANIP",""
"""


def test_csv_of_powershell():
    """A comma in a name, a class word in another name, ids with the class code."""
    parsed = parse_devices(POWERSHELL)
    assert parsed.devices == (
        Device("8086", "15BE", "224F17AA", "30", "020000", "Intel, I219-LM", said_kind=NET),
        Device("8086", "5917", "225D17AA", "07", "", "System display", said_kind=DriverKind.OTHER),
    )
    assert (parsed.unread, parsed.left_out) == ((), ("SWD\\MSRRAS",))


def test_csv_of_wmic_and_a_list_of_properties():
    """Columns in another order; Format-List names the class instead of its GUID."""
    card = "PCI\\VEN_8086&DEV_15BE&SUBSYS_224F17AA&REV_30"
    expected = Device("8086", "15BE", "224F17AA", "30", said_kind=NET)
    csv = f"Node,PNPClass,PNPDeviceID\nPC1,Net,{card}\\3&FE\n"
    listed = f"InstanceId : {card}\\3\nClass      : Net\n"
    assert parse_devices(csv).devices == (expected,)
    assert replace(parse_devices(listed).devices[0], name="") == expected


def test_a_stored_hint_gives_a_kind_to_a_device_without_one():
    """What another source knew at the import; a class in the list itself counts more."""
    hint = hint_line(Device("8086", "15BE"), NET)
    text = f"PCI\\VEN_8086&DEV_15BE\n{hint}\n"
    assert parse_devices(text).devices == (Device("8086", "15BE", said_kind=NET),)
    known = parse_devices(f"00:17.0 0106: 8086:15be (rev 21)\n{hint}\n").devices
    assert known[0].kind is DISK


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
