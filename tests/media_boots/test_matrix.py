"""Media on every firmware, disks on every bus and in every format: what takes its time."""

from itertools import repeat

import pytest

from netboot.images.media.request import DiskFormat
from netboot.operations.media import media
from tests.support.netlab import needs_netns
from vm.machine.spec import Bus, Disk

pytestmark = [pytest.mark.vm, pytest.mark.netns, needs_netns, pytest.mark.timeout(900)]

FIRMWARE = ("bios-x86", "bios-x64", "uefi-x64", "uefi-ia32")
IMAGE = {"bios-x86": "Lab PE x86", "uefi-ia32": "Lab PE x86"}
DISKS = (("ahci", "raw"), ("nvme", "vhdx"), ("virtio", "qcow2"))


@pytest.mark.parametrize("bus", [Bus.CD, Bus.USB])
@pytest.mark.parametrize("firmware", FIRMWARE)
def test_the_iso_is_a_disc_and_a_stick(media_lab, firmware, bus):
    """One file with both architectures; each machine starts the one for its processor."""
    disk = Disk(media_lab.build("iso"), bus)
    report = media_lab.boot(f"iso as {bus} on {firmware}", media_lab.spec(firmware, disks=(disk,)))

    assert ("iso", IMAGE.get(firmware, "Lab PE x64")) == (report.way, report.image)


@pytest.mark.parametrize("firmware", FIRMWARE)
def test_the_usb_image_starts_everywhere(media_lab, firmware):
    """A stick with one FAT32 partition."""
    disk = Disk(media_lab.build("usb"), Bus.USB)
    report = media_lab.boot(f"USB image on {firmware}", media_lab.spec(firmware, disks=(disk,)))

    assert ("usb", IMAGE.get(firmware, "Lab PE x64")) == (report.way, report.image)


@pytest.mark.parametrize(("bus", "form"), DISKS)
@pytest.mark.parametrize("firmware", ["bios-x64", "uefi-x64"])
def test_the_disk_starts_on_every_bus(media_lab, firmware, bus, form):
    """AHCI, NVMe and virtio; raw, VHDX and qcow2 are tried along the way."""
    disk = Disk(media_lab.build("disk", format=DiskFormat(form)), Bus(bus), form)
    name = f"{form} disk, {bus}, {firmware}"
    report = media_lab.boot(name, media_lab.spec(firmware, disks=(disk,)))

    assert report.way == "disk"


@pytest.mark.parametrize("firmware", ["bios-x86", "uefi-ia32"])
def test_the_disk_starts_machines_of_32_bits(media_lab, firmware):
    """From the same image, which holds both."""
    disk = Disk(media_lab.build("disk"), Bus.AHCI)
    report = media_lab.boot(f"raw disk, ahci, {firmware}", media_lab.spec(firmware, disks=(disk,)))

    assert (report.way, report.image) == ("disk", "Lab PE x86")


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

    assert "mismatch" in run.serial.lower()
    assert "nothing was started" in run.serial
    assert "LABPE" not in run.serial


def test_a_start_password_is_asked_for(media_lab):
    """Without it nothing is started; with it the image comes up."""
    lab = media_lab
    path = lab.build("iso", password_hash=media.hashed("open sesame"))
    # Without this the BIOS repeats on the serial line what GRUB writes there already.
    once = ("-machine", "graphics=on")
    spec = lab.spec("bios-x64", disks=(Disk(path, Bus.CD),), extra=once)
    answers = {
        "Enter username:": repeat("start\r"),
        "Enter password:": ("wrong one\r", "open sesame\r"),
        "Press any key to continue": repeat(" \r"),  # back to the menu, its first entry again
    }
    name = "iso with a start password"
    serial = lab.run(name, spec, expect="result=online", answers=answers)

    assert serial.count("Enter username") >= 2
