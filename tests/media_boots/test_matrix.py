"""Media on every firmware, disks on every bus and in every format: what takes its time."""

import pytest

from tests.netlab import needs_netns
from vm.spec import Bus, Disk

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
    disk = Disk(media_lab.build("disk", format=form_of(form)), Bus(bus), form)
    name = f"{form} disk, {bus}, {firmware}"
    report = media_lab.boot(name, media_lab.spec(firmware, disks=(disk,)))

    assert "disk" == report.way


def form_of(name):
    from netboot.images.media import DiskFormat

    return DiskFormat(name)


def test_a_start_password_is_asked_for(media_lab):
    """Without it nothing is started; with it the image comes up."""
    from netboot.operations import media

    lab = media_lab
    path = lab.build("iso", password_hash=media.hashed("open sesame"))
    # Without this the BIOS repeats on the serial line what GRUB writes there already.
    once = ("-machine", "graphics=on")
    spec = lab.spec("bios-x64", disks=(Disk(path, Bus.CD),), extra=once)
    serial = lab.with_password("iso with a start password", spec, ("wrong one", "open sesame"))

    assert serial.count("Enter username") >= 2
    assert "result=online" in serial
