"""Makes a medium from its plan, and reads its WIMs back to check them.

Debian's tools do the work: xorriso writes ISO 9660, mtools FAT, grub-mkimage the loaders, qemu-img
other disk formats. Only the first sector of a disk is ours (netboot.store.media.fat_image), since
GRUB's installer needs root and a device.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from netboot.errors import ContentFault, InvalidInput
from netboot.images.media.menu import BIOS_MODULES, EFI_MODULES, MODULES
from netboot.images.media.plan import BiosStart, MediumFile, MediumPlan
from netboot.images.media.request import DiskFormat, MediaKind
from netboot.progress import Progress
from netboot.store.content.blobs import BlobStore, hash_file
from netboot.store.media.fat_image import (
    PARTITION_AT,
    FatImage,
    fill,
    partitioned,
    room_for,
    smallest_partition,
)
from netboot.store.media.tools import Tools, grub_folder

_DISC_BLOCK = 2048
_BIOS_MODULES_BY_STAGE = (*MODULES, *BIOS_MODULES)


@dataclass(frozen=True, slots=True)
class MadeMedium:
    """A finished medium, for machines with this `firmware`: `bios`, `uefi-x64`, …."""

    path: Path
    size: int
    firmware: tuple[str, ...]


def build_medium(plan: MediumPlan, blobs: BlobStore, work: Path, progress: Progress) -> MadeMedium:
    """Make the medium below `work`, a folder on the store's file system.

    Raises DigestMismatch or BlobMissing if the version's files are damaged, InvalidInput if the
    disk is too small, MissingTool, OperatorFault if a tool fails, and what `progress` raises.
    """
    builder = _Builder(plan, blobs, work, progress)
    builder.check_sources()
    path = builder.iso() if plan.order.kind is MediaKind.ISO else builder.disk()
    builder.read_back(path)
    path = builder.converted(path)
    return MadeMedium(path, path.stat().st_size, firmware_of(plan))


def firmware_of(plan: MediumPlan) -> tuple[str, ...]:
    """The kinds of firmware that can start it."""
    names = {
        "BOOTX64.EFI": "uefi-x64",
        "BOOTIA32.EFI": "uefi-ia32",
        "BOOTAA64.EFI": "uefi-arm64",
    }
    paths = {*plan.grub_efi, *(file.path for file in plan.all_files)}
    found = sorted({name for path in paths if (name := names.get(path.rpartition("/")[2]))})
    return (*(["bios"] if plan.bios is not BiosStart.NONE else []), *found)


class _Builder:
    def __init__(self, plan: MediumPlan, blobs: BlobStore, work: Path, progress: Progress) -> None:
        self._plan = plan
        self._blobs = blobs
        self._work = work
        self._progress = progress
        self._tools = Tools(plan.at)

    def check_sources(self) -> None:
        """Verify every blob for the medium, and the free space."""
        digests = sorted({file.digest for file in self._plan.all_files if file.digest})
        for place, digest in enumerate(digests):
            self._progress(0.2 * place / len(digests), "checking the version's files")
            self._blobs.verify(digest)
        # The FAT image of an ISO is made first, then copied into it.
        copies = 2 if self._plan.firmware_files else 1
        self._blobs.check_space(copies * 2 * self._size_of(self._plan.all_files))

    def disk(self) -> Path:
        """A disk with one partition: a USB stick's image, or a machine's disk."""
        plan = self._plan
        self._progress(0.2, "creating the boot loaders")
        core = self._work / "core.img" if plan.bios is BiosStart.GRUB else None
        if core is not None:
            self._tools.grub("i386-pc", plan.early, _BIOS_MODULES_BY_STAGE, core)
        loaders = self._efi_loaders()
        self._progress(0.3, "writing the file system")
        needed = PARTITION_AT + smallest_partition(room_for(self._sizes((*plan.files, *loaders))))
        size = self._checked(needed)
        path = self._work / "medium.img"
        partition = partitioned(path, size, core, bytes.fromhex(plan.identity[:8]))
        image = FatImage(self._tools, path, offset=PARTITION_AT)
        image.format(partition, plan.order.label, plan.identity[8:], fat32=True)
        fill(image, (*plan.files, *loaders), self._blobs, self._work)
        return path

    def _checked(self, needed: int) -> int:
        wanted = self._plan.order.size
        if wanted and wanted < needed:
            raise InvalidInput(
                f"a disk of {wanted >> 20} MiB is too small; it needs {needed >> 20} MiB",
                hint="Choose a larger size, or leave out the size.",
            )
        return wanted or needed

    def iso(self) -> Path:
        plan = self._plan
        self._progress(0.2, "creating the boot loaders")
        tree = self._work / "tree"
        (tree / "boot").mkdir(parents=True)
        starts = self._bios_start(tree)
        inside = (*plan.firmware_files, *self._efi_loaders())
        if inside:
            self._progress(0.3, "writing the file system for UEFI")
            image = FatImage(self._tools, tree / "boot" / "efi.img")
            size = room_for(self._sizes(inside))
            with (tree / "boot" / "efi.img").open("xb") as out:
                out.truncate(size)
            image.format(size, plan.order.label, plan.identity[8:], fat32=False)
            fill(image, inside, self._blobs, self._work)
            starts += ["-eltorito-alt-boot"] if starts else []
            # A sector count of 1: the image may extend to the end of the disc (UEFI §13.3).
            starts += ["-e", "boot/efi.img", "-no-emul-boot", "-boot-load-size", "1"]
            # On a USB stick, firmware finds the image as an EFI system partition.
            starts += ["-efi-boot-part", "--efi-boot-image"]
        self._progress(0.5, "writing the ISO")
        path = self._work / "medium.iso"
        self._tools.run("xorriso", self._xorriso(path, tree, starts))
        return path

    def _bios_start(self, tree: Path) -> list[str | Path]:
        match self._plan.bios:
            case BiosStart.GRUB:
                target = tree / "boot" / "grub.img"
                modules = _BIOS_MODULES_BY_STAGE
                self._tools.grub("i386-pc-eltorito", self._plan.early, modules, target)
                hybrid = grub_folder("i386-pc") / "boot_hybrid.img"
                return [
                    *("-b", "boot/grub.img", "-no-emul-boot", "-boot-load-size", "4"),
                    *("-boot-info-table", "--grub2-boot-info", "--grub2-mbr", hybrid),
                    "--mbr-force-bootable",
                ]
            case BiosStart.ETFSBOOT:
                # No boot info table: xorriso would write it into Microsoft's code.
                return ["-b", "boot/etfsboot.com", "-no-emul-boot", "-boot-load-size", "8"]
            case _:
                return []

    def _xorriso(self, path: Path, tree: Path, starts: list[str | Path]) -> list[str | Path]:
        """Name blobs, so that xorriso needs no copy; all files get the same time."""
        grafts = []
        for number, file in enumerate(self._plan.files):
            source = self._blobs.require(file.digest) if file.digest else self._made(number, file)
            grafts.append(f"/{file.path}={source}")
        if (tree / "boot").is_dir():
            grafts += [f"/boot/{each.name}={each}" for each in sorted((tree / "boot").iterdir())]
        return [
            *("-as", "mkisofs", "-iso-level", "3", "-J", "-joliet-long", "-r", "-quiet"),
            *("-V", self._plan.order.label, "--set_all_file_dates", f"={self._plan.at}"),
            *starts,
            *("-graft-points", "-o", path),
            *grafts,
        ]

    def _made(self, number: int, file: MediumFile) -> Path:
        path = self._work / f"made-{number}"
        path.write_bytes(file.data)
        return path

    def _efi_loaders(self) -> tuple[MediumFile, ...]:
        """GRUB for UEFI, for this medium."""
        made = []
        for path, platform in self._plan.grub_efi.items():
            target = self._work / f"{platform}.efi"
            self._tools.grub(platform, self._plan.early, (*MODULES, *EFI_MODULES), target)
            made.append(MediumFile(path, data=target.read_bytes()))
        return tuple(made)

    def read_back(self, path: Path) -> None:
        """Check that the WIMs on the medium equal those served by network, byte for byte."""
        self._progress(0.7, "reading the medium back")
        for name, digest in self._plan.wims.items():
            for found in self._copies(path, name):
                if found != digest:
                    raise ContentFault(f"{name} on the new medium is damaged: {found}")

    def _copies(self, path: Path, name: str) -> list[str]:
        if self._plan.order.kind is not MediaKind.ISO:
            return [self._digest_in_fat(path, PARTITION_AT, name)]
        found = []
        if any(file.path == name for file in self._plan.files):
            found.append(self._digest_on_disc(path, name))
        if any(file.path == name for file in self._plan.firmware_files):
            found.append(self._digest_in_fat(self._work / "tree" / "boot" / "efi.img", 0, name))
        return found

    def _digest_in_fat(self, path: Path, offset: int, name: str) -> str:
        target = self._work / "read-back"
        FatImage(self._tools, path, offset=offset).take(name, target)
        digest = hash_file(target).digest
        target.unlink()
        return digest

    def _digest_on_disc(self, path: Path, name: str) -> str:
        """Read the file from the blocks that the disc's table gives."""
        report: list[str | Path] = ["-indev", path, "-find", f"/{name}", "-exec", "report_lba"]
        output = self._tools.run("xorriso", [*report, "--"])
        line = next(line for line in output.splitlines() if line.startswith("File data lba:"))
        fields = [field.strip() for field in line.partition(":")[2].split(",")]
        block, size = int(fields[1]), int(fields[3])
        sha = hashlib.sha256()
        with path.open("rb") as disc:
            disc.seek(block * _DISC_BLOCK)
            while size > 0 and (chunk := disc.read(min(size, 1 << 20))):
                sha.update(chunk)
                size -= len(chunk)
        return f"sha256:{sha.hexdigest()}"

    def converted(self, path: Path) -> Path:
        form = self._plan.order.format
        if form is DiskFormat.RAW:
            return path
        self._progress(0.8, f"converting to {form}")
        target = path.with_suffix(f".{form}")
        options = ["-o", "subformat=dynamic"] if form is DiskFormat.VHDX else []
        self._tools.run("qemu-img", ["convert", "-f", "raw", "-O", form, *options, path, target])
        self._tools.run("qemu-img", ["compare", "-f", "raw", "-F", form, path, target])
        return target

    def _sizes(self, files: tuple[MediumFile, ...]) -> list[tuple[str, int]]:
        return [(file.path, self._size_of((file,))) for file in files]

    def _size_of(self, files: tuple[MediumFile, ...]) -> int:
        return sum(
            self._blobs.require(file.digest).stat().st_size if file.digest else len(file.data)
            for file in files
        )
