"""Media as they come out, read by programs that did not write them."""

import json
import re
import subprocess

import pytest

from netboot.errors import ContentFault, DigestMismatch, InvalidInput
from netboot.images.architecture import Architecture
from netboot.images.media.plan import Carried, plan_medium
from netboot.images.media.request import DiskFormat, MediaKind, MediaOrder
from netboot.site import Site
from netboot.store.content.blobs import hash_file
from netboot.store.media import builder as media_builder
from netboot.store.media.builder import build_medium
from netboot.store.media.fat_image import PARTITION_AT, FatImage
from netboot.store.media.tools import Tools
from tests.support.content import content_of, version_of

X64, X86 = Architecture.X64, Architecture.X86
ESP = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"


@pytest.fixture
def site(tmp_path):
    """A site whose files are enough; its database is not asked."""
    return Site.open(tmp_path / "data")


@pytest.fixture
def build(site):
    """`build(kind, …)`: a medium of both architectures, in a folder of its own."""
    stacks = []
    versions = [
        version_of(site, 2, image=f"Lab PE {each}", architecture=each) for each in (X64, X86)
    ]
    carried = [Carried(version=each, arguments="quiet") for each in versions]

    def make(kind, **wishes):
        order = MediaOrder(kind=MediaKind(kind), **wishes)
        stacks.append(site.blobs.staging_folder())
        work = stacks[-1].__enter__()
        return build_medium(plan_medium(order, carried), site.blobs, work, lambda _p, _s: None)

    yield make
    for stack in stacks:
        stack.__exit__(None, None, None)


def xorriso(path, *commands):
    done = subprocess.run(
        ["xorriso", "-indev", path, *commands], capture_output=True, text=True, check=True
    )
    return done.stdout + done.stderr


def test_an_iso_starts_bios_and_uefi_as_a_disc_and_as_a_stick(build):
    """El Torito names both; the first sectors hold boot code and a partition table."""
    made = build("iso", label="LABPE")
    told = xorriso(made.path, "-report_el_torito", "plain", "-report_system_area", "plain")

    assert made.firmware == ("bios", "uefi-ia32", "uefi-x64")
    assert re.search(r"El Torito boot img :\s+1\s+BIOS\s+y\s+none", told)
    assert re.search(r"El Torito boot img :\s+2\s+UEFI\s+y\s+none", told)
    assert "/boot/grub.img" in told
    assert "/boot/efi.img" in told
    assert "grub2-mbr" in told
    assert "Volume id    : 'LABPE'" in told
    assert "GPT partition path :   2  /boot/efi.img" in told
    assert made.path.read_bytes()[510:512] == b"\x55\xaa"


def test_firmware_that_takes_an_iso_for_a_disk_finds_an_efi_system_partition(build, tmp_path):
    """sfdisk reads the table, dosfstools the file system, mtools a loader for each UEFI in it."""
    made = build("iso")
    done = subprocess.run(["sfdisk", "--json", made.path], capture_output=True, check=True)
    table = json.loads(done.stdout)["partitiontable"]
    (system,) = [one for one in table["partitions"] if one["type"] == ESP]
    at, size = system["start"] * 512, system["size"] * 512
    (tmp_path / "esp").write_bytes(made.path.read_bytes()[at : at + size])
    image = FatImage(Tools(0), made.path, offset=at)
    for name in ("BOOTX64.EFI", "BOOTIA32.EFI"):
        image.take(f"EFI/BOOT/{name}", tmp_path / name)

    assert table["label"] == "gpt"
    subprocess.run(["fsck.fat", "-n", tmp_path / "esp"], check=True, capture_output=True)
    assert {b"MZ"} == {(tmp_path / f"BOOT{of}.EFI").read_bytes()[:2] for of in ("X64", "IA32")}


def test_a_disc_carries_the_very_wim_of_the_version(build):
    """7-Zip takes it out; it is what the network gives."""
    made = build("iso")
    for name, image in (("boot.wim", "Lab PE x64"), ("boot-x86.wim", "Lab PE x86")):
        taken = subprocess.run(
            ["7z", "x", "-so", str(made.path), f"sources/{name}"], capture_output=True, check=True
        )
        assert content_of("boot.wim", 2, image) == taken.stdout


@pytest.mark.parametrize("kind", ["usb", "disk"])
def test_sticks_and_disks_carry_it_too(build, tmp_path, kind):
    """In a FAT32 partition, beside a loader for each UEFI."""
    made = build(kind)
    image = FatImage(Tools(0), made.path, offset=PARTITION_AT)
    image.take("sources/boot.wim", tmp_path / "boot.wim")
    image.take("EFI/BOOT/BOOTX64.EFI", tmp_path / "x64")
    image.take("EFI/BOOT/BOOTIA32.EFI", tmp_path / "ia32")

    assert content_of("boot.wim", 2) == (tmp_path / "boot.wim").read_bytes()
    assert [(tmp_path / name).read_bytes()[:2] for name in ("x64", "ia32")] == [b"MZ", b"MZ"]


@pytest.mark.parametrize("kind", ["iso", "usb", "disk"])
def test_two_of_a_kind_are_the_same_bytes(build, kind):
    """So a medium can be made again, and compared by its digest."""
    assert hash_file(build(kind).path) == hash_file(build(kind).path)


@pytest.mark.parametrize(("form", "mark"), [("qcow2", b"QFI\xfb"), ("vhdx", b"vhdxfile")])
def test_a_disk_in_another_form_holds_the_same_disk(build, form, mark):
    """qemu-img compares them, sector by sector."""
    raw, other = build("disk"), build("disk", format=DiskFormat(form))
    subprocess.run(
        ["qemu-img", "compare", "-f", "raw", "-F", form, raw.path, other.path],
        check=True, capture_output=True,
    )  # fmt: skip

    assert mark == other.path.read_bytes()[: len(mark)]


def test_a_disk_is_as_large_as_was_asked(build):
    """For a machine whose disk is written whole."""
    assert build("disk", size=256 << 20).size == 256 << 20


def test_a_disk_that_has_no_room_is_refused_with_what_it_needs(build):
    """Nobody gets a larger one in silence."""
    with pytest.raises(InvalidInput, match="a disk of 20 MiB is too small; it needs 69 MiB"):
        build("disk", size=20 << 20)


def test_a_large_disk_has_a_partition_that_is_made_at_once(build):
    """The rest stays free; sfdisk and dosfstools agree with the table."""
    made = build("disk", size=40 << 30)
    table = json.loads(
        subprocess.run(
            ["sfdisk", "--json", made.path], capture_output=True, check=True, text=True
        ).stdout
    )
    (partition,) = table["partitiontable"]["partitions"]
    folder = made.path.with_name("partition")
    with made.path.open("rb") as disk, folder.open("wb") as out:
        disk.seek(PARTITION_AT)
        out.write(disk.read(256 << 20))
        out.truncate(partition["size"] * 512)

    assert (
        partition["start"], partition["size"] * 512, partition["bootable"],
    ) == (2048, 32 << 30, True)  # fmt: skip
    subprocess.run(["fsck.fat", "-n", folder], check=True, capture_output=True)


def test_an_altered_file_of_the_version_makes_no_medium(build, site):
    """What is stored is read before anything is made of it."""
    path = site.blobs.path(site.blobs.add_bytes(content_of("vmlinuz", 2)).digest)
    path.chmod(0o644)
    path.write_bytes(b"something else")
    with pytest.raises(DigestMismatch):
        build("iso")


def test_a_medium_that_reads_back_otherwise_is_not_handed_out(build, monkeypatch):
    """A disk that loses bytes is noticed before anybody starts from it."""
    monkeypatch.setattr(
        media_builder._Builder, "_copies", lambda _self, _path, _name: ["sha256:" + "0" * 64]
    )
    with pytest.raises(ContentFault, match="on the new medium is damaged"):
        build("usb")
