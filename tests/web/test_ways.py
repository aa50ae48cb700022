"""Who came up on a version, by which way."""

from netboot.boot.attempts import fold
from netboot.boot.events import PeOffline, PeReported
from web.ways import came_up

IMAGE = "Lab PE x64"


def reported(at, mac, *, way="", version=2, image=IMAGE):
    return PeReported(
        at=at, mac=f"52:54:00:00:00:{mac:02x}", image=image, version=version, driver="e1000.inf",
        device="8086:100e", firmware="bios", way=way,
    )  # fmt: skip


def test_the_newest_report_of_each_way_is_shown_in_one_order():
    """Network, ISO, stick, disk, package; each names its machine."""
    ways = ("package", "disk", "usb", "iso", "")
    events = [reported(float(at), at, way=way) for at, way in enumerate(ways)]
    events.append(reported(90.0, 90, way="iso"))
    found = came_up(fold(events), IMAGE, 2)

    assert ["", "iso", "usb", "disk", "package"] == [one.way for one in found]
    assert ("52:54:00:00:00:5a", 90.0) == (found[1].machine, found[1].at)
    assert "by network" == found[0].words


def test_other_versions_and_machines_without_a_network_do_not_count():
    """A report is a report of this version."""
    events = [
        reported(1.0, 1, version=1),
        reported(2.0, 2, image="Another"),
        PeOffline(at=3.0, mac="52:54:00:00:00:03", image=IMAGE, version=2, missing="x"),
    ]

    assert () == came_up(fold(events), IMAGE, 2)
