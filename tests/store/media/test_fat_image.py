"""Disks and FAT file systems, read by programs that did not write them."""

import struct
import subprocess

import pytest

from netboot.images.media.plan import MediumFile
from netboot.store.content.blobs import BlobStore
from netboot.store.media.fat_image import (
    MIB,
    PARTITION_AT,
    FatImage,
    fill,
    partitioned,
    room_for,
    smallest_partition,
)
from netboot.store.media.tools import Tools

SIGNATURE = b"\x11\x22\x33\x44"


@pytest.fixture
def tools():
    return Tools(1_700_000_000)


def disk_with(tools, folder, name, files, blobs):
    """A disk whose one partition holds these files."""
    path = folder / name
    size = partitioned(path, PARTITION_AT + smallest_partition(0), None, SIGNATURE)
    image = FatImage(tools, path, offset=PARTITION_AT)
    image.format(size, "LABEL", "01234567", fat32=True)
    fill(image, files, blobs, folder)
    return path


def test_files_come_out_as_they_went_in(tools, tmp_path):
    """Blobs and made files, in folders that nobody made before; read by mtools at the offset."""
    blobs = BlobStore(tmp_path / "store")
    blob = blobs.add_bytes(b"blob" * 10_000)
    files = [
        MediumFile("EFI/BOOT/BOOTX64.EFI", blob.digest),
        MediumFile("EFI/Microsoft/Boot/BCD", data=b"bcd"),
        MediumFile("boot/BCD", data=b"bios"),
    ]
    path = disk_with(tools, tmp_path, "disk.img", files, blobs)
    image = FatImage(tools, path, offset=PARTITION_AT)
    for file, data in zip(files, (b"blob" * 10_000, b"bcd", b"bios"), strict=True):
        image.take(file.path, tmp_path / "out")
        assert data == (tmp_path / "out").read_bytes()


def test_other_programs_see_one_active_partition_of_fat32(tools, tmp_path):
    """fdisk reads the table, file(1)'s rules are those of boot sectors, fsck.fat finds no fault."""
    path = disk_with(tools, tmp_path, "disk.img", [], BlobStore(tmp_path / "store"))
    table = subprocess.run(["fdisk", "-l", path], capture_output=True, text=True).stdout
    partition = tmp_path / "partition"
    partition.write_bytes(path.read_bytes()[PARTITION_AT:])
    checked = subprocess.run(["fsck.fat", "-n", partition], capture_output=True, text=True)

    assert "Disk identifier: 0x44332211" in table
    assert f"* {PARTITION_AT // 512} " in " ".join(table.split())
    assert "W95 FAT32 (LBA)" in table
    assert checked.returncode == 0, checked.stdout
    assert partition.read_bytes()[0x52:0x57] == b"FAT32"


def test_two_disks_of_one_plan_are_the_same_bytes(tools, tmp_path):
    """Times and serial numbers are the plan's."""
    blobs = BlobStore(tmp_path / "store")
    files = [MediumFile("a/b", data=b"x")]
    first, second = (
        disk_with(tools, tmp_path, name, files, blobs).read_bytes() for name in ("one", "two")
    )

    assert first == second


def test_the_boot_sector_leads_to_grubs_core(tmp_path):
    """It reads sector 1, from the first disk; the table and the mark are in their places."""
    core = tmp_path / "core.img"
    core.write_bytes(b"core" * 1000)
    path = tmp_path / "disk.img"
    partitioned(path, 8 * MIB, core, SIGNATURE)
    sector = path.read_bytes()[:512]

    assert struct.unpack_from("<Q", sector, 0x5C) == (1,)
    assert sector[0x66:0x68] == b"\x90\x90"
    assert sector[440:444] == SIGNATURE
    assert sector[510:] == b"\x55\xaa"
    assert path.read_bytes()[512 : 512 + 4000] == b"core" * 1000


def test_a_core_that_reaches_into_the_partition_is_refused(tmp_path):
    """It would be written over."""
    core = tmp_path / "core.img"
    core.write_bytes(bytes(MIB))
    with pytest.raises(ValueError, match="does not fit"):
        partitioned(tmp_path / "disk.img", 8 * MIB, core, SIGNATURE)


def test_there_is_always_room_for_what_was_measured(tools, tmp_path):
    """Many small files take a cluster each."""
    blobs = BlobStore(tmp_path / "store")
    files = [MediumFile(f"folder{n % 5}/file{n}", data=b"x" * 100) for n in range(60)]
    size = room_for((file.path, len(file.data)) for file in files)
    path = tmp_path / "image"
    with path.open("wb") as out:
        out.truncate(size)
    image = FatImage(tools, path)
    image.format(size, "SMALL", "01234567", fat32=False)
    fill(image, files, blobs, tmp_path)
    image.take("folder4/file59", tmp_path / "out")

    assert (tmp_path / "out").read_bytes() == b"x" * 100
