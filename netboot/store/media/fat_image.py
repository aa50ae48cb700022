"""FAT file systems in plain files, by mtools: no root, no loop device, no mount.

References: Microsoft's FAT specification 1.03; UEFI specification §13.3; GRUB 2.06,
grub-core/boot/i386/pc/boot.S (the offsets in a boot sector).
"""

import struct
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from netboot.images.media.plan import MediumFile
from netboot.store.content.blobs import BlobStore
from netboot.store.media.tools import Tools, grub_folder

SECTOR = 512
MIB = 1 << 20
PARTITION_AT = MIB
"""Start of the only partition: GRUB's core is in the gap before it."""

LARGEST_PARTITION = 32 << 30
"""The rest of a larger disk stays free: a larger FAT would be larger than any image."""

_FAT32_FROM = 512 * MIB
_SMALLEST_FAT32 = 68 * MIB  # with clusters of one sector: FAT32 needs at least 65525 of them
_ONE_SECTOR_UP_TO = 260 * MIB
_TYPE_FAT32_LBA = 0x0C
_ACTIVE = 0x80

# boot.S: offsets of what grub-bios-setup writes to the boot sector.
_KERNEL_SECTOR, _DRIVE_CHECK, _PARTITIONS = 0x5C, 0x66, 0x1BE
_NO_CHECK = b"\x90\x90"  # some BIOSes pass a wrong drive number; a hard disk is always the first


def room_for(files: Iterable[tuple[str, int]]) -> int:
    """Bytes that a FAT file system needs for files of these sizes, with its tables."""
    cluster = 32 * 1024
    needed = sum(-(-size // cluster) * cluster + cluster for _, size in files)
    return -(-(needed + needed // 50 + 4 * MIB) // MIB) * MIB


class FatImage:
    """A FAT file system inside a file, from `offset` on, of `size` bytes."""

    def __init__(self, tools: Tools, path: Path, *, offset: int = 0) -> None:
        self._tools = tools
        self._path = path
        self._image = f"{path}@@{offset}" if offset else str(path)
        self._folders: set[str] = set()

    def format(self, size: int, label: str, serial: str, *, fat32: bool) -> None:
        """Create the empty file system; `serial` are eight hex digits."""
        # Clusters of one sector up to 260 MB, of 4 KiB up to 8 GB: the FAT specification's table.
        cluster = 1 if size <= _ONE_SECTOR_UP_TO else 8
        kind = ["-F", "-c", str(cluster)] if fat32 or size >= _FAT32_FROM else []
        geometry = ["-T", str(size // SECTOR), "-h", "255", "-s", "63"]
        names = ["-v", label, "-N", serial]
        self._tools.run("mformat", ["-i", self._image, *kind, *geometry, *names, "::"])

    def add(self, path: str, source: Path) -> None:
        """Copy a file in, with the folders that it needs."""
        for folder in reversed(PurePosixPath(path).parents[:-1]):
            if str(folder).upper() not in self._folders:
                self._tools.run("mmd", ["-i", self._image, f"::/{folder}"])
                self._folders.add(str(folder).upper())
        self._tools.run("mcopy", ["-i", self._image, source, f"::/{path}"])

    def take(self, path: str, target: Path) -> None:
        self._tools.run("mcopy", ["-n", "-i", self._image, f"::/{path}", target])


def partitioned(path: Path, size: int, core: Path | None, signature: bytes) -> int:
    """Create a disk with one empty active partition, and GRUB where a BIOS looks for it.

    `core` is GRUB's image for BIOS, `signature` the disk's four bytes. Returns the partition's
    size in bytes.
    """
    partition = min(size - PARTITION_AT, LARGEST_PARTITION)
    with path.open("xb") as disk:
        disk.truncate(size)
        disk.write(_boot_sector(partition, signature, has_grub=core is not None))
        if core is not None:
            image = core.read_bytes()
            if len(image) > PARTITION_AT - SECTOR:
                raise ValueError(f"GRUB's core of {len(image)} bytes does not fit before 1 MiB")
            disk.seek(SECTOR)
            disk.write(image)
    return partition


def smallest_partition(needed: int) -> int:
    return max(needed, _SMALLEST_FAT32)


def _boot_sector(partition: int, signature: bytes, *, has_grub: bool) -> bytes:
    sector = bytearray(SECTOR)
    if has_grub:
        sector[:440] = (grub_folder("i386-pc") / "boot.img").read_bytes()[:440]
        struct.pack_into("<Q", sector, _KERNEL_SECTOR, 1)  # GRUB's core begins in the next sector
        sector[_DRIVE_CHECK : _DRIVE_CHECK + 2] = _NO_CHECK
    sector[440:444] = signature
    # The first sector after 1 MiB as cylinder 0, head 32, sector 33. The end is beyond what
    # cylinders, heads and sectors can express: all ones, and BIOSes use the LBA fields.
    entry = struct.pack(
        "<B3sB3sII",
        _ACTIVE,
        b"\x20\x21\x00",
        _TYPE_FAT32_LBA,
        b"\xfe\xff\xff",
        PARTITION_AT // SECTOR,
        partition // SECTOR,
    )
    sector[_PARTITIONS : _PARTITIONS + 16] = entry
    sector[510:512] = b"\x55\xaa"
    return bytes(sector)


def fill(image: FatImage, files: Iterable[MediumFile], blobs: BlobStore, work: Path) -> None:
    """Copy all files of a plan in: blobs from the store, the others from their bytes."""
    for number, file in enumerate(files):
        if file.digest:
            image.add(file.path, blobs.require(file.digest))
        else:
            source = work / f"made-{number}"
            source.write_bytes(file.data)
            image.add(file.path, source)
            source.unlink()
