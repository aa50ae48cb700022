"""Reads driver packages and stores their files, in batches, with several processes.

Hashing and parsing need a processor, so a large source is divided among one process for each. They
return entries for the catalog, in the order of the source. They end with their parent; the
clean-up deletes what they stored if no row names it.
"""

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Generator, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import MappingProxyType, ModuleType

from netboot.errors import OperatorFault
from netboot.store.content.blobs import BlobStore
from netboot.store.drivers.entry import CatalogEntry, entry
from netboot.store.drivers.folders import DriverSource, ImportedDriver, RefusedInf, read_driver
from netboot.store.foreign.archives import SourceFile

BATCH = 32
"""Packages in a batch: few, so that writing it does not block other writers for long."""

SMALL = 200
"""Sources with fewer INFs are read in this process, since starting others takes longer."""

WAITING = 6
"""Batches for each reader that may be ahead of the writer; more would only use memory."""


@dataclass(frozen=True, slots=True)
class StoredPackage:
    """A package whose files are stored. `source` is the name of its INF in the source."""

    entry: CatalogEntry
    source: str


StoredResult = StoredPackage | RefusedInf


@dataclass(frozen=True, slots=True)
class _Work:
    source: DriverSource
    blobs: BlobStore


_mine: list[_Work] = []
"""The work of a reader, set once in its process."""


def store_packages(
    source: DriverSource, blobs: BlobStore, *, readers: int = 0
) -> Generator[list[StoredResult], None, None]:
    """All packages of the source, in batches; their files are stored before.

    `readers` is the number of processes, 0 for one that suits machine and source. Raises
    InvalidInput if a file changes meanwhile, OperatorFault if the disk is full or a reader was
    killed.
    """
    batches = _batches(source.infs)
    if not readers:
        readers = len(os.sched_getaffinity(0)) if len(source.infs) >= SMALL else 1
    if readers > 1:
        yield from _share_out(source, blobs, batches, readers)
        return
    work = _Work(source, blobs)
    for names in batches:
        yield _store_batch(work, names)


def _share_out(
    source: DriverSource, blobs: BlobStore, batches: Iterator[tuple[str, ...]], readers: int
) -> Iterator[list[StoredResult]]:
    pool = ProcessPoolExecutor(
        readers,
        mp_context=multiprocessing.get_context("spawn"),  # the caller has threads: no fork
        initializer=_begin,
        initargs=(dict(source.files), source.infs, dict(source.refused), blobs.root),
    )
    try:
        waiting: deque[Future[list[StoredResult]]] = deque()
        _submit(pool, islice(batches, readers * WAITING), waiting)
        while waiting:
            yield waiting.popleft().result()
            _submit(pool, islice(batches, 1), waiting)
    except BrokenProcessPool as fault:
        raise OperatorFault(
            "a process that reads drivers was killed",
            hint="Check the free memory, then import again. What was stored stays.",
        ) from fault
    finally:
        pool.shutdown(cancel_futures=True)


def _submit(
    pool: ProcessPoolExecutor,
    batches: Iterator[tuple[str, ...]],
    waiting: deque[Future[list[StoredResult]]],
) -> None:
    with _without_main():
        waiting.extend(pool.submit(_store_mine, names) for names in batches)


@contextmanager
def _without_main() -> Iterator[None]:
    """Readers started meanwhile do not run this program's main file."""
    # multiprocessing's spawn imports the main file in each process that it starts, and a program
    # without `if __name__ == "__main__"` would do its work there again. Readers need none of it.
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _begin(
    files: Mapping[str, SourceFile], infs: tuple[str, ...], refused: Mapping[str, str], root: Path
) -> None:
    """Start a reader. It leaves signals to its parent, and ends with it."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    source = DriverSource(MappingProxyType(dict(files)), infs, MappingProxyType(dict(refused)))
    _mine.append(_Work(source, BlobStore(root)))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _store_mine(names: tuple[str, ...]) -> list[StoredResult]:
    return _store_batch(_mine[0], names)


def _store_batch(work: _Work, names: tuple[str, ...]) -> list[StoredResult]:
    # Files of known drivers too: this restores files that were lost or damaged.
    results = [read_driver(work.source, name) for name in names]
    packages = [result for result in results if isinstance(result, ImportedDriver)]
    work.blobs.add_many({file.digest: path for package in packages for file, path in package.files})
    return [
        StoredPackage(entry(result.driver), result.source)
        if isinstance(result, ImportedDriver)
        else result
        for result in results
    ]


def _batches(names: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    left = iter(names)
    while batch := tuple(islice(left, BATCH)):
        yield batch
