"""A file that somebody hands us becomes a source: looked into and copied at the same time.

Verifying costs one core, copying and hashing another, so they run side by side. An upload of
our own is linked, not copied: a file of many gigabytes never lies on the disk twice.
"""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from netboot.errors import OperatorFault
from netboot.images.boot_image.description import ImageFacts
from netboot.store.content.blobs import StoredBlob, explain_disk_fault, hash_file
from netboot.store.wim import builder as wim_builder
from netboot.store.wim.inspector import inspect
from netboot.store.wim.sandbox import Progress, no_progress


class _Stopped(OperatorFault):
    """The file was refused meanwhile."""


def take_in(
    path: Path,
    target: Path,
    *,
    ours: bool,
    index: int | None,
    workdir: Path,
    progress: Progress = no_progress,
) -> tuple[ImageFacts, StoredBlob]:
    """What the WIM at `path` holds, and `target` made with its bytes: linked where it is `ours`.

    Raises what `inspect` raises, OperatorFault when the disk is full.
    """
    stop = threading.Event()
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
