"""Extracts boot.wim from an ISO of installation media, with 7z under limits.

Windows media are UDF with a minimal ISO 9660 file system, which holds only a readme; 7z reads both,
but only one at a time, so each that the disc has is tried. Nothing is mounted, and 7z extracts one
file within limits of size, time and memory.
"""

from dataclasses import replace
from errno import ENOSPC
from os import strerror
from pathlib import Path
from shutil import disk_usage

from netboot.errors import InvalidInput, Quarantined
from netboot.progress import ByteProgress, silent
from netboot.store.content.disk_faults import explain_disk_fault
from netboot.store.foreign.unpackers import (
    Entry,
    Lent,
    Limits,
    extract_one,
    lend,
    list_entries,
)

BOOT_WIM = "sources/boot.wim"
_OTHER_PLACES = ("boot/boot.wim", "boot.wim")
# Sector 16, where the volume descriptors of both begin (ECMA-119 8, ECMA-167 2/8).
_DESCRIPTORS = 0x8000
_SECTOR = 2048
_MOST_DESCRIPTORS = 32
_MARKS = {b"BEA01": "udf", b"NSR02": "udf", b"NSR03": "udf", b"CD001": "iso"}
_LIST_SECONDS = 60.0
_TAKE_SECONDS = 1800.0
_MEMORY = 1 << 30
_LARGEST = 32 << 30
_DOWNLOAD_AGAIN = "Download the ISO again and compare its checksum."


def is_iso(path: Path) -> bool:
    """Whether the file begins like an optical disc (ISO 9660 or UDF)."""
    return bool(file_systems(path))


def file_systems(path: Path) -> list[str]:
    """The file systems of a disc, `udf` and `iso`, in the order in which Windows reads them."""
    with path.open("rb") as stream:
        stream.seek(_DESCRIPTORS)
        descriptors = stream.read(_MOST_DESCRIPTORS * _SECTOR)
    marks = (descriptors[at + 1 : at + 6] for at in range(0, len(descriptors), _SECTOR))
    return sorted({_MARKS[mark] for mark in marks if mark in _MARKS}, reverse=True)


def take_boot_wim(iso: Path, workdir: Path, *, progress: ByteProgress = silent) -> Path:
    """Extract boot.wim from an ISO into `workdir`; returns its path.

    Raises InvalidInput if the ISO has none, Quarantined if its size is not that in the table,
    MissingTool, OperatorFault if the disk is full, and what `progress` raises.
    """
    target = workdir / "boot.wim"
    try:
        with lend(iso, "iso", workdir, progress=progress) as lent:
            disc, entry = _find([replace(lent, kind=kind) for kind in file_systems(iso)])
            _take(disc, entry, target, progress)
    except OSError as fault:
        raise explain_disk_fault(fault, workdir) from fault
    if (size := target.stat().st_size) != entry.size:
        raise Quarantined(
            f"{entry.name} should have {entry.size} bytes, but has {size} in the ISO",
            hint=_DOWNLOAD_AGAIN,
        )
    return target


def _take(iso: Lent, entry: Entry, target: Path, progress: ByteProgress) -> None:
    limits = Limits(entry=entry.size, seconds=_TAKE_SECONDS, memory=_MEMORY)

    def look() -> None:
        progress("extract", target.stat().st_size, entry.size)

    with target.open("xb") as out:
        try:
            extract_one(iso, entry.name, out, limits, look)
        except InvalidInput as fault:
            if disk_usage(target.parent).free < entry.size - target.stat().st_size:
                raise OSError(ENOSPC, strerror(ENOSPC)) from fault
            raise InvalidInput(
                f"{entry.name} cannot be extracted: the ISO is damaged", hint=_DOWNLOAD_AGAIN
            ) from fault


def _find(discs: list[Lent]) -> tuple[Lent, Entry]:
    """The boot image, and the file system that it is in."""
    unread = 0
    for disc in discs:
        try:
            _tool, entries = list_entries(disc, _LIST_SECONDS, _MEMORY)
        except InvalidInput:
            unread += 1
            continue
        by_name = {one.name.replace("\\", "/").lower(): one for one in entries if not one.link}
        for place in (BOOT_WIM, *_OTHER_PLACES):
            if (entry := by_name.get(place)) and 0 < entry.size <= _LARGEST:
                return disc, entry
    if unread == len(discs):
        raise InvalidInput("The ISO cannot be read: it is damaged", hint=_DOWNLOAD_AGAIN)
    if unread:
        raise InvalidInput(
            f"The ISO does not contain {BOOT_WIM}, but one of its file systems is damaged",
            hint=_DOWNLOAD_AGAIN,
        )
    raise InvalidInput(
        f"The ISO does not contain {BOOT_WIM}",
        hint="Choose an ISO of Windows installation media, or of Windows PE.",
    )
