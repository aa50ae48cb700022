"""A Linux machine takes a boot image onto its disk, starts it from there, and is as before."""

import json

import pytest

from tests.media_boots.conftest import HOME
from tests.media_boots.old_system import file_on, task_disk
from tests.netlab import needs_netns
from vm.spec import Bus, Disk

pytestmark = [pytest.mark.vm, pytest.mark.netns, needs_netns, pytest.mark.timeout(1200)]

INSTALLED = "/boot/netboot-image"
TAKE = "cd /root && wget -q -O netboot-disk.sh {url} || exit 9\n"


@pytest.fixture
def guest(media_lab, old_system, tmp_path):
    """A machine with the old system on its disk."""
    return Guest(media_lab, old_system.copy(tmp_path), tmp_path)


class Guest:
    """The same machine each time: what it is told to do comes on a second disk."""

    def __init__(self, lab, disk, folder):
        self.lab = lab
        self.disk = disk
        self.folder = folder

    def link(self):
        """A link that is good for one time."""
        words = ("media", "package", "Lab PE x64", "--system", "linux", "--address", HOME)
        return json.loads(self.lab.netboot(*words, "--json"))["url"]

    def spec(self, script):
        """The machine, with its network boot off and this to do."""
        disks = (
            Disk(self.disk, Bus.VIRTIO, keeps=True),
            task_disk(self.folder, script),
        )
        return self.lab.spec("bios-x64", disks=disks, restarts=True, memory=768)

    def does(self, name, script, expect="result=old-system code=0"):
        """The old system starts and does this; what its console said."""
        return self.lab.run(name, self.spec(script), expect=expect)

    def restarts_into_the_image(self, name, script):
        """The old system does this and restarts; the report of the image that comes up."""
        return self.lab.boot(name, self.spec(script))


def test_it_restarts_into_the_image_and_then_into_its_old_system(guest):
    """GRUB starts the image once; after that, and after removal, the machine is as it was."""
    before = file_on(guest.disk, "/boot/grub/grub.cfg")
    take = TAKE.format(url=guest.link())
    report = guest.restarts_into_the_image(
        "package: taken, then started from disk", f"{take}sh netboot-disk.sh install --method grub"
    )

    assert ("package", "Lab PE x64", 2) == (report.way, report.image, report.version)
    assert file_on(guest.disk, f"{INSTALLED}/SHA256SUMS")

    script = f"sh {INSTALLED}/netboot-disk.sh status && sh {INSTALLED}/netboot-disk.sh remove"
    said = guest.does("package: the next start is the old system", script)

    assert f"Lab PE x64 v2 is in {INSTALLED} (grub)" in said
    assert "this machine starts as it did before" in said
    assert b"" == file_on(guest.disk, f"{INSTALLED}/SHA256SUMS")
    assert b"" == file_on(guest.disk, "/boot/grub/custom.cfg")
    assert before == file_on(guest.disk, "/boot/grub/grub.cfg")

    said = guest.does("package: after removal, the old system", "sh -c 'ls /boot/netboot-image'",
                      expect="result=old-system code=1")  # fmt: skip
    assert "starting the old system" in said


def test_an_altered_image_is_refused_by_the_script_and_by_grub(guest):
    """What the disk holds is compared before it is made to start, and when it starts."""
    install = "sh netboot-disk.sh install --method grub --no-restart || exit 8\n"
    alter = f"printf X | dd of={INSTALLED}/boot.wim bs=1 seek=4000000 conv=notrunc 2>/dev/null\n"
    refuse = f"sh {INSTALLED}/netboot-disk.sh start && exit 7\nexit 0"
    said = guest.does("package: altered, the script refuses",
                      TAKE.format(url=guest.link()) + install + alter + refuse)  # fmt: skip

    assert "boot.wim was altered: it is not started" in said

    said = guest.does("package: altered, GRUB refuses", "true")

    assert "was altered: it is not started" in said
    assert "OLD-SYSTEM is up" in said
    assert "LABPE 1" not in said.split("OLD-SYSTEM")[0]


def test_kexec_starts_the_image_without_the_firmware(guest):
    """Where GRUB cannot do it the running kernel does; a restart gives the old system."""
    take = TAKE.format(url=guest.link())
    report = guest.restarts_into_the_image(
        "package: started by kexec", f"{take}sh netboot-disk.sh install --method kexec"
    )

    assert "package" == report.way

    said = guest.does("package: after kexec, the old system",
                      "sh /var/lib/netboot-image/netboot-disk.sh remove")  # fmt: skip
    assert "OLD-SYSTEM is up" in said


def test_a_link_is_good_for_one_time_and_a_failure_changes_nothing(guest):
    """A second try with the link, and a site that cannot be reached half way."""
    url = guest.link()
    script = (
        TAKE.format(url=url)
        + f"wget -q -O again.sh {url} && exit 7\n"
        + "sed -i 's|/v/lab-pe-x64/2|/v/lab-pe-x64/99|' netboot-disk.sh\n"
        + "sh netboot-disk.sh install --method grub --no-restart && exit 6\n"
        + f"ls {INSTALLED} {INSTALLED}.new /boot/grub/custom.cfg && exit 5\nexit 0"
    )
    said = guest.does("package: fails safe", script)

    assert "cannot be had. Nothing was changed." in said
    assert b"next_entry" not in file_on(guest.disk, "/boot/grub/grubenv")
