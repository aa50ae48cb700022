"""Takes in the source of an image: inspects and copies it at the same time.

Inspection needs one core, copying and hashing another. An upload is linked, not copied, so a file
of many gigabytes is never on the disk twice.
"""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from netboot.errors import OperatorFault
from netboot.images.boot_image.description import ImageFacts
from netboot.progress import ByteProgress, silent
from netboot.store.content.blobs import StoredBlob, hash_file
from netboot.store.content.disk_faults import explain_disk_fault
from netboot.store.wim import builder as wim_builder
from netboot.store.wim.inspector import inspect


class _Stopped(OperatorFault):
    """The inspection refused the file."""


def take_in(
    path: Path,
    target: Path,
    *,
    ours: bool,
    index: int | None,
    workdir: Path,
    progress: ByteProgress = silent,
) -> tuple[ImageFacts, StoredBlob]:
    """Inspect the WIM at `path` and copy it to `target`, or link it if it is `ours`.

    Raises what `inspect` raises, and OperatorFault if the disk is full.
    """
    stop = threading.Event()
    if not os.access(path, os.R_OK):
        # Only this process may read it (CAP_DAC_READ_SEARCH, which access(2) leaves out), not the
        # one that inspects.
        stored = _bring(path, target, ours=False, stop=stop)
        return inspect(target, index=index, workdir=workdir, progress=progress), stored
    with ThreadPoolExecutor(1, thread_name_prefix="copy") as pool:
        copying = pool.submit(_bring, path, target, ours=ours, stop=stop)
        try:
            facts = inspect(path, index=index, workdir=workdir, progress=progress)
        except BaseException:
            stop.set()
            raise
        return facts, copying.result()


def _bring(path: Path, target: Path, *, ours: bool, stop: threading.Event) -> StoredBlob:
    def look(_stage: str, _done: int, _total: int) -> None:
        if stop.is_set():
            raise _Stopped("the file was rejected")

    try:
        if ours and _linked(path, target):
            return hash_file(target)
        digest = wim_builder.copy(path, target, look)
        with target.open("rb") as stream:
            os.fsync(stream.fileno())
        return StoredBlob(digest, target.stat().st_size)
    except OSError as fault:
        raise explain_disk_fault(fault, target.parent) from fault


def _linked(path: Path, target: Path) -> bool:
    try:
        os.link(path, target, follow_symlinks=False)
    except OSError:  # another file system, or one without links
        return False
    return True
