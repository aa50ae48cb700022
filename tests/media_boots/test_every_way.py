"""One version, every way: network, disc, stick and disk; each report names version and way.

The quick part of what `make test-media` boots; test_matrix.py has the rest.
"""

import pytest

from netboot.store.blobs import hash_file
from tests.netlab import needs_netns
from vm.spec import Bus, Disk

pytestmark = [pytest.mark.vm, pytest.mark.netns, needs_netns, pytest.mark.timeout(900)]


def test_one_version_comes_up_by_every_way(media_lab):
    """By network, from an ISO, from a stick and from a disk; the site knows which was which."""
    lab = media_lab
    reports = {
        "network": lab.boot("network", lab.spec("bios-x64")),
        "iso": lab.boot(
            "iso as a CD, BIOS x64",
            lab.spec("bios-x64", disks=(Disk(lab.build("iso"), Bus.CD),)),
        ),
        "usb": lab.boot(
            "USB image, UEFI x64",
            lab.spec("uefi-x64", disks=(Disk(lab.build("usb"), Bus.USB),)),
        ),
        "disk": lab.boot(
            "disk, BIOS x64, virtio",
            lab.spec("bios-x64", disks=(Disk(lab.build("disk"), Bus.VIRTIO),)),
        ),
    }

    assert {way: ("" if way == "network" else way) for way in reports} == {
        way: report.way for way, report in reports.items()
    }
    assert {("Lab PE x64", 2)} == {(one.image, one.version) for one in reports.values()}


def test_an_altered_disk_starts_nothing(media_lab, tmp_path):
    """One byte of the WIM is another: GRUB says so and lets the firmware go on."""
    lab = media_lab
    image = bytearray(lab.build("disk").read_bytes())
    at = image.index(b"MSWIM\0\0\0")
    image[at + 5_000_000] ^= 1
    altered = tmp_path / "altered.img"
    altered.write_bytes(image)
    spec = lab.spec("bios-x64", disks=(Disk(altered, Bus.AHCI),))
    run = lab.refused("altered disk", spec)

    assert "HASH MISMATCH" in run.serial or "mismatch" in run.serial.lower()
    assert "nothing is started" in run.serial
    assert "LABPE" not in run.serial


def test_the_medium_holds_the_wim_that_the_network_gives(media_lab):
    """The digest of the WIM inside is that of the version's boot.wim."""
    import subprocess

    from netboot.operations import media

    lab = media_lab
    lab.build("iso")
    view = media.list_media(lab.site, "Lab PE x64", 2)[0]
    iso = media.medium_path(lab.site, view.id)[1]
    target = lab.folder / "boot.wim"
    target.unlink(missing_ok=True)
    subprocess.run(
        ["7z", "x", "-so", str(iso), "sources/boot.wim"],
        stdout=target.open("wb"), stderr=subprocess.DEVNULL, check=True,
    )  # fmt: skip
    served = lab.site.point.load().current["Lab PE x64"].file("boot.wim")

    assert served.digest == hash_file(target).digest == view.carried[0].wim
