"""Faults of a disk as messages for the administrator, wherever and however they show."""

import errno
import os
import pwd
import re
from pathlib import Path

from netboot.errors import DatabaseFault, DiskFault, InvalidInput, NetbootError


def explain_disk_fault(fault: OSError, where: Path) -> DiskFault:
    """The operating system's error as a message for the administrator."""
    if fault.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DiskFault(
            f"the disk of {where} is full", hint="Free some disk space. Nothing was changed."
        )
    return DiskFault(
        f"cannot write to {where}: {fault.strerror}",
        hint="Check the disk and the owner of the folder. Nothing was changed.",
    )


def disk_fault(fault: BaseException, where: Path | None = None) -> DiskFault | None:
    """The DiskFault behind an error, or None if the disk is not to blame.

    `where` is a folder on the disk in question. A program of the system that ran out of space says
    so only in its own words, or leaves a full disk behind.
    """
    if isinstance(fault, DiskFault):
        return fault
    if isinstance(fault, OSError):
        if fault.errno not in _DISK_ERRORS:
            return None
        named = fault.filename2 or fault.filename
        place = where or (Path(os.fsdecode(named)).parent if isinstance(named, str | bytes) else "")
        return explain_disk_fault(fault, Path(place) if place else Path("the data folder"))
    return _told_by_a_program(fault, where) if where is not None else None


def _told_by_a_program(fault: BaseException, where: Path) -> DiskFault | None:
    """The fault of a disk that a program of the system reports, or fails because of."""
    # Only errors of netboot.errors: those of jobs say that an administrator has cancelled one.
    is_plain = type(fault).__module__ == NetbootError.__module__
    if not is_plain or isinstance(fault, DatabaseFault):
        return None
    # An input that cannot be read lies on another disk.
    if _FAILING.search(str(fault)) and not isinstance(fault, InvalidInput):
        return DiskFault(
            f"the disk of {where} fails ({fault})",
            hint="Check the disk and the system's log. Nothing was changed.",
        )
    if not _NO_SPACE.search(str(fault)) and _free_bytes(where) >= _FULL_BELOW:
        return None
    return DiskFault(
        f"the disk of {where} is full ({fault})", hint="Free some disk space. Nothing was changed."
    )


_DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS}
_NO_SPACE = re.compile(r"no space left|not enough space|disk (?:is )?full", re.IGNORECASE)
_FAILING = re.compile(r"input/output error|read-only file system", re.IGNORECASE)
_FULL_BELOW = 64 << 10


def _free_bytes(folder: Path) -> int:
    """What this process may still write there; root may use what is reserved for it."""
    found = os.statvfs(folder)
    return found.f_frsize * (found.f_bavail if os.geteuid() else found.f_bfree)


def user_name() -> str:
    """The user whose rights this process has: on an installed system root's command has others."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
