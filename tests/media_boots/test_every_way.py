"""One version, every way: network, disc, stick, disk image and the machine's own disk.

The part of what `make test-media` boots that belongs to `make test`; test_matrix.py and
test_matrix_on_disk.py have the rest.
"""

import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from netboot.daemons.projector import catch_up
from netboot.operations.media import media
from netboot.store.content.blobs import hash_file
from tests.media_boots.conftest import Guest
from tests.media_boots.old_system import file_on
from tests.support.netlab import needs_netns
from tests.web.conftest import sign_in
from tests.web.support import seeding
from vm.machine.spec import Bus, Disk
from vm.matrix import MACHINES_AT_ONCE
from web.app import create_app

pytestmark = [pytest.mark.vm, pytest.mark.netns, needs_netns, pytest.mark.timeout(900)]

WAYS = {
    "": "from the network",
    "iso": "from an ISO",
    "usb": "from a USB drive",
    "disk": "from a disk image",
    "package": "from its local disk",
}
INSTALLED = "/boot/netboot-image"
SCRIPT = f"{INSTALLED}/netboot-disk.sh"
FAIL_SAFE = """
wget -q -O again.sh {url} && exit 7
sed 's|/v/lab-pe-x64/2|/v/lab-pe-x64/99|' netboot-disk.sh > elsewhere.sh
sh elsewhere.sh install --method grub --no-restart && exit 6
ls {installed} {installed}.new /boot/grub/custom.cfg && exit 5
sh netboot-disk.sh install --method grub
"""
AFTERWARDS = f"""
stage=$(cat /root/stage)
case $stage in
'')
	sh {SCRIPT} status || exit 2
	printf X | dd of={INSTALLED}/boot.wim bs=1 seek=4000000 conv=notrunc 2> /dev/null
	sh {SCRIPT} start && exit 3
	grub-editenv /boot/grub/grubenv set next_entry=netboot-image
	echo altered > /root/stage
	;;
altered)
	sh {SCRIPT} remove || exit 4
	echo removed > /root/stage
	;;
removed)
	ls {INSTALLED} /boot/grub/custom.cfg && exit 5
	exit 0
	;;
esac
sync
reboot
"""


@pytest.fixture(scope="module")
def guest(media_lab, old_system, tmp_path_factory):
    """The machine whose own disk takes the image."""
    folder = tmp_path_factory.mktemp("guest")
    return Guest(media_lab, old_system.copy(folder), folder)


@pytest.fixture(scope="module")
def reports(media_lab, guest):
    """What each machine reported, by the way in which it got the image."""
    lab = media_lab
    specs = {
        "network": lab.spec("bios-x64"),
        "iso as a CD, BIOS x64": lab.spec("bios-x64", disks=(Disk(lab.build("iso"), Bus.CD),)),
        "USB image, UEFI x64": lab.spec("uefi-x64", disks=(Disk(lab.build("usb"), Bus.USB),)),
        "disk, BIOS x64, AHCI": lab.spec("bios-x64", disks=(Disk(lab.build("disk"), Bus.AHCI),)),
    }
    url = guest.link()
    taken = FAIL_SAFE.format(url=url, installed=INSTALLED)
    specs["package: taken, then started from disk"] = guest.spec(
        f"cd /root && wget -q -O netboot-disk.sh {url} || exit 9\n{taken}"
    )
    with ThreadPoolExecutor(MACHINES_AT_ONCE) as machines:
        # The one that takes longest goes first.
        names = [*specs][::-1]
        told = machines.map(lambda name: lab.boot(name, specs[name]), names)
        return {report.way: report for report in told}


def test_one_version_comes_up_by_every_way(reports):
    """Each report names the version, and the site knows which way it came."""
    assert set(WAYS) == set(reports)
    assert {("Lab PE x64", 2)} == {(one.image, one.version) for one in reports.values()}


def test_its_page_shows_them_side_by_side(reports, media_lab):
    """Each way has its column, with the machine that came up in it."""
    catch_up(media_lab.site)
    seeding.add_accounts(media_lab.site)
    client = create_app(media_lab.site).test_client()
    sign_in(client, media_lab.site, "viewer")
    text = client.get("/images/lab-pe-x64/versions/2").text
    shown = {}
    for column in ("network", "media", "disk"):
        card = text.partition(f'aria-labelledby="way-{column}-title"')[2].partition("</section>")[0]
        found = re.findall(
            r"<strong>Started ([a-zA-Z ]+)</strong>.*?monospace\">([0-9a-f:]+)<", card
        )
        shown[column] = dict(found)
        assert card.count("Lab PE x64 v2") == len(found)
    expected = {words: reports[way].mac for way, words in WAYS.items()}

    assert [column for column in shown if "from the network" in shown[column]] == ["network"]
    assert {"from an ISO", "from a USB drive"} == set(shown["media"])
    assert {"from a disk image", "from its local disk"} == set(shown["disk"])
    assert expected == {**shown["network"], **shown["media"], **shown["disk"]}


def test_the_next_start_is_the_old_system_and_removal_leaves_no_trace(reports, guest):
    """Meanwhile the image was altered: neither the script nor GRUB starts it.

    old system: altered by hand, refused → GRUB refuses → old system: removed → old system.
    """
    assert "package" in reports
    before = file_on(guest.disk, "/boot/grub/grub.cfg")
    assert file_on(guest.disk, f"{INSTALLED}/SHA256SUMS")
    said = guest.does("package: altered, refused, removed, the old system", AFTERWARDS)

    assert f"Lab PE x64 v2 is in {INSTALLED} (grub)" in said
    assert "boot.wim was altered: it is not started" in said  # by the script
    assert "the boot image on this disk was altered" in said  # by GRUB
    assert "START arch=" not in said
    assert said.count("OLD-SYSTEM is up") == 3
    assert "this machine starts as it did before" in said
    assert file_on(guest.disk, f"{INSTALLED}/SHA256SUMS") == b""
    assert file_on(guest.disk, "/boot/grub/custom.cfg") == b""
    assert b"next_entry=netboot-image" not in file_on(guest.disk, "/boot/grub/grubenv")
    assert before == file_on(guest.disk, "/boot/grub/grub.cfg")


def test_the_medium_holds_the_wim_that_the_network_gives(media_lab):
    """The digest of the WIM inside is that of the version's boot.wim."""
    lab = media_lab
    iso = lab.build("iso")
    view = next(one for one in media.list_media(lab.site, "Lab PE x64", 2) if one.kind == "iso")
    target = lab.folder / "boot.wim"
    with target.open("wb") as out:
        subprocess.run(
            ["7z", "x", "-so", str(iso), "sources/boot.wim"],
            stdout=out, stderr=subprocess.DEVNULL, check=True,
        )  # fmt: skip
    served = lab.site.point.load().current["Lab PE x64"].file("boot.wim")

    assert served.digest == hash_file(target).digest == view.carried[0].wim
