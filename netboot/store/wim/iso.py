"""Extracts boot.wim from an ISO of installation media, with 7z under limits.

Windows media are UDF with a minimal ISO 9660 file system; 7z reads both. Nothing is mounted, and 7z
extracts one file within limits of size, time and memory.
"""

import os
import subprocess
from contextlib import suppress
from pathlib import Path
from shutil import which
from signal import SIGKILL

from netboot.errors import InvalidInput, MissingTool, Quarantined
from netboot.progress import ByteProgress, silent
from netboot.store.foreign.unpackers import SEVEN_ZIP, list_entries

BOOT_WIM = "sources/boot.wim"
_OTHER_PLACES = ("boot/boot.wim", "boot.wim")
_DESCRIPTORS = 0x8000  # sector 16, where both formats begin
_SECTOR = 2048
_MARKS = (b"CD001", b"BEA01", b"NSR02", b"NSR03")
_POLL_SECONDS = 0.5
_LIST_SECONDS = 60.0
_TAKE_SECONDS = 1800
_MEMORY = 1 << 30
_LARGEST = 32 << 30


def is_iso(path: Path) -> bool:
    """Whether the file begins like an optical disc (ISO 9660 or UDF)."""
    with path.open("rb") as stream:
        stream.seek(_DESCRIPTORS)
        descriptors = stream.read(8 * _SECTOR)
    return any(descriptors[at + 1 : at + 6] in _MARKS for at in range(0, len(descriptors), _SECTOR))


def take_boot_wim(iso: Path, workdir: Path, *, progress: ByteProgress = silent) -> Path:
    """Extract boot.wim from an ISO into `workdir`; returns its path.

    Raises InvalidInput if the ISO has none, Quarantined if its size is not that in the table,
    MissingTool, and what `progress` raises.
    """
    name, size = _find(iso)
    target = workdir / "boot.wim"
    with target.open("xb") as out:
        _take(iso, name, out.fileno(), size, progress)
    if target.stat().st_size != size:
        raise Quarantined(
            f"{name} should have {size} bytes, but has {target.stat().st_size} in the ISO",
            hint="Download the ISO again and compare its checksum.",
        )
    return target


def _find(iso: Path) -> tuple[str, int]:
    """Name and size of the boot image in the table."""
    _tool, entries = list_entries(iso, "7z", _LIST_SECONDS, _MEMORY)
    by_name = {entry.name.replace("\\", "/").lower(): entry for entry in entries if not entry.link}
    for place in (BOOT_WIM, *_OTHER_PLACES):
        if (entry := by_name.get(place)) and 0 < entry.size <= _LARGEST:
            return entry.name, entry.size
    raise InvalidInput(
        f"The ISO does not contain {BOOT_WIM}",
        hint="Choose an ISO of Windows installation media, or of Windows PE.",
    )


def _take(iso: Path, name: str, out: int, size: int, progress: ByteProgress) -> None:
    """Extract one file to `out`, at most `size` bytes."""
    for tool in ("prlimit", SEVEN_ZIP):
        if which(tool) is None:
            raise MissingTool(
                f"{tool} is not installed", hint="Install it: apt-get install p7zip-full util-linux"
            )
    limits = [f"--as={_MEMORY}", f"--fsize={size}", f"--cpu={_TAKE_SECONDS}", "--core=0"]
    # -spd: the name is not a pattern
    command = [SEVEN_ZIP, "x", "-so", "-spd", "-bd", "--", str(iso.absolute()), name]
    process = subprocess.Popen(
        ["prlimit", *limits, "--", *command],
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
    )
    try:
        for _ in range(int(_TAKE_SECONDS / _POLL_SECONDS)):
            with suppress(subprocess.TimeoutExpired):
                process.wait(_POLL_SECONDS)
                break
            progress("extract", os.fstat(out).st_size, size)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, SIGKILL)
        process.wait()
    if process.returncode:
        raise InvalidInput(
            f"{name} cannot be extracted: the ISO is damaged",
            hint="Download the ISO again and compare its checksum.",
        )
