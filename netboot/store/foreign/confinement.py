"""A worker shuts itself in before it touches a foreign file: limits, no network, few folders.

Four walls, each independent of the others: resource limits (memory, time, file size); an empty
network namespace where the system permits one; Landlock (only the named files and folders can be
opened); seccomp (no sockets, no new programs, no new processes, no mounts). `enter` reports
which walls stand, so that a test can ask for all of them and an old kernel can still work.

References: landlock(7), seccomp(2), bpf in linux/filter.h; numbers of linux/landlock.h.
"""

import ctypes
import os
import platform
import resource
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

_libc = ctypes.CDLL(None, use_errno=True)

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_SIGKILL = 9
_CLONE_NEWNET, _CLONE_NEWUSER, _CLONE_THREAD = 0x40000000, 0x10000000, 0x00010000

_LANDLOCK_CREATE, _LANDLOCK_ADD_RULE, _LANDLOCK_RESTRICT = 444, 445, 446
_LANDLOCK_VERSION = 1
_RULE_PATH_BENEATH = 1
_FS_EXECUTE, _FS_WRITE, _FS_READ, _FS_READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_FS_REMOVE_DIR, _FS_REMOVE_FILE = 1 << 4, 1 << 5
_FS_MAKE_DIR, _FS_MAKE_FILE = 1 << 7, 1 << 8
_FS_REFER, _FS_TRUNCATE = 1 << 13, 1 << 14
_FS_FILE_RIGHTS = _FS_EXECUTE | _FS_WRITE | _FS_READ | _FS_TRUNCATE
_READ_ONLY = _FS_READ | _FS_READ_DIR
_WORK = (
    _READ_ONLY
    | (_FS_WRITE | _FS_TRUNCATE | _FS_REFER)
    | (_FS_REMOVE_DIR | _FS_REMOVE_FILE | _FS_MAKE_DIR | _FS_MAKE_FILE)
)
# How many rights each version of Landlock knows (first 13, then REFER, TRUNCATE, IOCTL_DEV).
_FS_RIGHTS = MappingProxyType({1: 13, 2: 14, 3: 15, 4: 15, 5: 16})

_X86_64, _AARCH64 = 0xC000003E, 0xC00000B7
_X32_BIT = 0x40000000
_CLONE3 = 435
_EPERM, _ENOSYS = 1, 38
_RET_ALLOW, _RET_ERRNO, _RET_KILL = 0x7FFF0000, 0x00050000, 0x80000000
_LOAD, _JUMP_EQUAL, _JUMP_SET, _JUMP_AT_LEAST, _RETURN = 0x20, 0x15, 0x45, 0x35, 0x06

_COMMON_DENIED = (  # numbers that all architectures share
    *(425, 426, 427),  # io_uring
    *(428, 429, 430, 431, 432, 433, 442),  # the new mount calls
    *(434, 438),  # pidfd_open, pidfd_getfd
)
_DENIED: Mapping[str, tuple[int, int, tuple[int, ...]]] = MappingProxyType(
    {
        # audit architecture, number of clone, denied: socket to listen, socketpair, fork,
        # vfork, execve, kill, ptrace, mount, chroot, modules, keys, unshare, setns, bpf …
        "x86_64": (
            _X86_64,
            56,
            (
                *(*range(41, 51), 53, 57, 58, 59, 62, 101, 133, 155, 161, 163, 165, 166),
                *(167, 168, 169, 175, 176, 200, 234, 246, 248, 249, 250, 272, 298, 304, 308),
                *(310, 311, 313, 320, 321, 322, 323),
            ),
        ),
        "aarch64": (
            _AARCH64,
            220,
            (
                *(*range(198, 205), 221, 129, 130, 131, 117, 40, 39, 41, 51, 33, 224, 225, 142),
                *(105, 106, 273, 104, 217, 218, 219, 97, 268, 241, 265, 270, 271, 280, 281, 282),
            ),
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a worker may use: bytes of address space, seconds, bytes of one file."""

    memory: int = 3 << 30
    cpu_seconds: int = 900
    file_size: int = 32 << 30
    seconds: float = 1800.0


def enter(limits: Limits, *, readable: Iterable[Path], writable: Iterable[Path]) -> list[str]:
    """Shut this process in. Must run before any thread is started.

    The names of the walls that stand: "limits", "network", "landlock", "seccomp".
    """
    _libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
    _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    for kind, amount in (
        (resource.RLIMIT_AS, limits.memory),
        (resource.RLIMIT_CPU, limits.cpu_seconds),
        (resource.RLIMIT_FSIZE, limits.file_size),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 256),
    ):
        resource.setrlimit(kind, (amount, amount))
    walls = ["limits"]
    if _leave_network():
        walls.append("network")
    if _restrict_files(readable, writable):
        walls.append("landlock")
    if _restrict_calls():
        walls.append("seccomp")
    return walls


def _leave_network() -> bool:
    """An empty network namespace: root may have one at once, others by a user namespace."""
    if _libc.unshare(_CLONE_NEWNET) == 0:
        return True
    return bool(_libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0)


def _restrict_files(readable: Iterable[Path], writable: Iterable[Path]) -> bool:
    version = _libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), _LANDLOCK_VERSION)
    if version < 1:
        return False
    known = (1 << _FS_RIGHTS.get(version, 16)) - 1
    attributes = struct.pack("=Q", known)
    ruleset = _libc.syscall(
        _LANDLOCK_CREATE, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint(0)
    )
    if ruleset < 0:
        return False
    try:
        for rights, paths in ((_READ_ONLY, readable), (_WORK, writable)):
            for path in paths:
                _allow(ruleset, path, rights & known)
        return bool(_libc.syscall(_LANDLOCK_RESTRICT, ruleset, ctypes.c_uint(0)) == 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    """Open `path` to this process; what does not exist needs no rule."""
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        granted = rights if path.is_dir() else rights & _FS_FILE_RIGHTS
        rule = struct.pack("=Qi", granted, fd)
        code = _libc.syscall(
            _LANDLOCK_ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, ctypes.c_uint(0)
        )
        if code:
            raise OSError(ctypes.get_errno(), "landlock refuses a rule", str(path))
    finally:
        os.close(fd)


class _FilterProgram(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def _restrict_calls() -> bool:
    """Deny what reading and writing a WIM never needs; threads stay allowed."""
    machine = _DENIED.get(platform.machine())
    if machine is None:
        return False
    code = b"".join(_filter(*machine))
    program = _FilterProgram(len(code) // 8, code)
    seccomp_mode_filter, set_seccomp = 2, 22
    return bool(_libc.prctl(set_seccomp, seccomp_mode_filter, ctypes.byref(program), 0, 0) == 0)


def _filter(audit_arch: int, clone: int, denied: tuple[int, ...]) -> list[bytes]:
    """A classic BPF program over struct seccomp_data {nr, arch, ip, args[6]}."""
    refuse = _instruction(_RETURN, _RET_ERRNO | _EPERM)
    program = [
        _instruction(_LOAD, 4),
        _instruction(_JUMP_EQUAL, audit_arch, 1, 0),
        _instruction(_RETURN, _RET_KILL),
        _instruction(_LOAD, 0),
        _instruction(_JUMP_AT_LEAST, _X32_BIT, 0, 1),
        refuse,
        # clone3 hides its flags behind a pointer: without it, glibc falls back to clone
        _instruction(_JUMP_EQUAL, _CLONE3, 0, 1),
        _instruction(_RETURN, _RET_ERRNO | _ENOSYS),
    ]
    for number in (*_COMMON_DENIED, *denied):
        program += [_instruction(_JUMP_EQUAL, number, 0, 1), refuse]
    return [
        *program,
        _instruction(_JUMP_EQUAL, clone, 0, 3),
        _instruction(_LOAD, 16),
        _instruction(_JUMP_SET, _CLONE_THREAD, 1, 0),
        refuse,
        _instruction(_RETURN, _RET_ALLOW),
    ]


def _instruction(code: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, operand)
