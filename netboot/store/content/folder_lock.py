"""One process at a time changes a folder."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from netboot.store.content.disk_faults import explain_disk_fault


@contextmanager
def locked(lock: Path) -> Iterator[None]:
    """Wait for the lock file, then lock it. Raises OperatorFault if it cannot be written."""
    try:
        file = lock.open("w")
    except OSError as fault:
        raise explain_disk_fault(fault, lock.parent) from fault
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
