"""Lists of Windows, taken apart; what their devices become is tested with the parser."""

from netboot.images.drivers.driver import DriverKind
from netboot.images.drivers.windows_lists import Listed, read_lists

NET = DriverKind.NETWORK


def test_other_lines_stay_as_they_are():
    """Blank lines only part paragraphs."""
    lines = [
        "00:1f.6 0200: 8086:15be",
        "\tSubsystem: 17aa:224f",
        "Net  PCI\\VEN_1&DEV_2\\3",
        "words",
    ]
    assert list(read_lists("\n\n".join(lines))) == lines
    assert list(read_lists("\n".join(lines))) == lines


def test_a_paragraph_of_labels_is_one_device():
    text = (
        "Instance ID:    USB\\VID_0BDA&PID_8153\\1\n"
        "Device Description:  Realtek\n"
        "Class GUID:     {4D36E972-E325-11CE-BFC1-08002BE10318}\n"
        "Hardware IDs:   USB\\VID_0BDA&PID_8153&REV_3000\n"
        "                USB\\VID_0BDA&PID_8153\n"
    )
    ids = (
        "USB\\VID_0BDA&PID_8153\\1",
        "USB\\VID_0BDA&PID_8153&REV_3000",
        "USB\\VID_0BDA&PID_8153",
    )
    assert list(read_lists(text)) == [Listed(ids, NET, "Realtek")]


def test_a_class_that_no_boot_needs_is_known_as_such():
    """By its GUID, or by its name."""
    for line in ("Class GUID: {4d36e968-e325-11ce-bfc1-08002be10318}", "Class: Display"):
        (found,) = read_lists(f"Instance ID: PCI\\VEN_1&DEV_2\\3\n{line}\n")
        assert isinstance(found, Listed)
        assert found.kind is DriverKind.OTHER


def test_rows_below_a_header_are_devices():
    """A row without an id stays a line; another header counts from there on."""
    text = (
        "Name,DeviceID,PNPClass\n"
        '"a, b",PCI\\VEN_1&DEV_2\\3,Net\n'
        "nothing,,\n"
        "ClassGuid,InstanceId\n"
        "{4d36e97b-e325-11ce-bfc1-08002be10318},PCI\\VEN_3&DEV_4\\5\n"
    )
    assert list(read_lists(text)) == [
        Listed(("PCI\\VEN_1&DEV_2\\3",), NET, "a, b"),
        "nothing,,",
        Listed(("PCI\\VEN_3&DEV_4\\5",), DriverKind.STORAGE, ""),
    ]
