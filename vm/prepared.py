"""`python -m vm.prepared FILE`: the Lab PE as one file, for sites that cannot build it.

A file that is taken in becomes a build in the cache, next to those that were built here.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from netboot import __version__
from netboot.errors import NotPermitted, OperatorFault
from netboot.progress import Progress, silent
from netboot.store.content.disk_faults import disk_fault
from netboot.store.images import lab_pe_file
from vm import labpe
from vm.labpe import LabPe
from vm.labpe.build import SUMS, damaged_files, write_sums
from vm.tools import refuse

TAKEN_IN = "taken-in-"
"""How the folders of builds begin that came from a prepared file."""


def take_in(stream: BinaryIO, *, progress: Progress = silent) -> LabPe:
    """Check a prepared file and keep what is in it. Raises InvalidInput, DiskFault."""
    cache = labpe.cache_folder()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix=".taking-in-") as scratch:
            made = Path(scratch, "made")
            made.mkdir()
            head = lab_pe_file.unpack(stream, made, progress=progress)
            write_sums(made)
            folder = cache / f"{TAKEN_IN}{head.key}"
            if folder.exists():
                folder.rename(Path(scratch, "before"))
            made.rename(folder)
        for other in cache.glob(f"{TAKEN_IN}*"):
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)
    except OSError as fault:
        raise disk_fault(fault, cache) or NotPermitted(
            f"{cache} cannot be written: {fault.strerror}",
            hint=f"Name another folder in {labpe.CACHE_VARIABLE}.",
        ) from fault
    return LabPe(folder)


def any_build() -> LabPe | None:
    """A verified build in the cache: of this release, or else one that was taken in."""
    found = labpe.find()
    if found is None:
        taken = labpe.cache_folder().glob(f"{TAKEN_IN}*/{SUMS}")
        found = next((LabPe(p.parent) for p in taken if not damaged_files(p.parent)), None)
    return found


def write_file(target: Path, *, say: Callable[[str], None] = print) -> lab_pe_file.Head:
    """Write the Lab PE, built if it is not in the cache, as `target`, complete or not at all.

    Raises OperatorFault, MissingTool, NotPermitted, DiskFault.
    """
    part = target.with_name(f"{target.name}.part")
    try:
        with part.open("wb") as out:  # before minutes are spent on a build
            build = labpe.ensure(say=say)
            key = build.folder.name.removeprefix(TAKEN_IN)
            head = lab_pe_file.pack(build.folder, out, key=key, release=__version__)
            out.flush()
            os.fsync(out.fileno())
        part.replace(target)
    except OSError as fault:
        raise disk_fault(fault, target.parent) or NotPermitted(
            f"{target} cannot be written: {fault.strerror}",
            hint="Name a file in a folder that this user may write, for example in /var/tmp.",
        ) from fault
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return head


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="netboot lab-pe export", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--json", action="store_true", help="print JSON, for scripts")
    chosen = parser.parse_args(arguments)
    try:
        head = write_file(chosen.file, say=lambda text: print(text, file=sys.stderr, flush=True))
    except OperatorFault as fault:
        return refuse(fault)
    size = chosen.file.stat().st_size
    if chosen.json:
        made = {"file": str(chosen.file), "size": size, "key": head.key, "release": head.release}
        print(json.dumps(made, indent=2))
    else:
        print(f"{chosen.file}: Lab PE {head.key}, {size / (1 << 20):.1f} MiB.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
