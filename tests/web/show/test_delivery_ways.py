"""Who came up on a version, by which way."""

from netboot.boot.told.attempts import fold
from netboot.boot.told.events import PeOffline, PeReported
from tests.web.support import seeding
from web.show.delivery_ways import came_up, read_version

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

    assert [one.way for one in found] == ["", "iso", "usb", "disk", "package"]
    assert (found[1].machine, found[1].at) == ("52:54:00:00:00:5a", 90.0)
    assert found[0].words == "from the network"


def test_a_report_from_media_is_not_buried_by_boots_of_the_network(site):
    """However many machines came up by network since."""
    from tests.support.media_versions import add_lab_version

    add_lab_version(site)
    events = [reported(10.0, 1, way="usb", version=1), reported(11.0, 2, way="package", version=1)]
    events += [reported(1000.0 * at, 3 + at % 200, version=1) for at in range(1, 700)]
    seeding.tell(site, *events)
    told = read_version(site, "lab-pe-x64/1")

    assert [one.way for one in told["by_media"]] == ["usb"]
    assert [one.way for one in told["by_disk"]] == ["package"]
    assert [one.at for one in told["by_network"]] == [699_000.0]


def test_other_versions_and_machines_without_a_network_do_not_count():
    """A report is a report of this version."""
    events = [
        reported(1.0, 1, version=1),
        reported(2.0, 2, image="Another"),
        PeOffline(at=3.0, mac="52:54:00:00:00:03", image=IMAGE, version=2, missing="x"),
    ]

    assert came_up(fold(events), IMAGE, 2) == ()
