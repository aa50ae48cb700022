"""Work in progress on the disk: a folder for each piece of work, which its process has locked.

The kernel releases the lock (flock(2)) when the process ends, so what is left over is known
whatever process ids are in use: they repeat in a container, and a zombie keeps its own.
"""

import fcntl
import os
import shutil
import uuid
from pathlib import Path


def begin_work(staging: Path) -> tuple[Path, int]:
    """A new folder in `staging`, and the descriptor that holds its lock. Raises OSError."""
    while True:
        folder = staging / uuid.uuid4().hex
        folder.mkdir(mode=0o700)
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:  # cleared before it was locked
            continue
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.is_dir():
            return folder, lock
        os.close(lock)


def clear_unless_in_use(path: Path) -> bool:
    """Delete a file or folder in staging, unless its owner holds its lock."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return False
    except OSError:  # a link, or another file that is nobody's work
        path.unlink(missing_ok=True)
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return True
