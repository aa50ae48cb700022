"""A worker confines itself before it opens an untrusted file: limits, no network, few folders.

Four independent walls: resource limits (memory, time, file size); an empty network namespace, if
the system permits one; Landlock (only the given files and folders can be opened); seccomp (no
sockets, programs, processes or mounts). `enter` returns the active walls: the tests require all of
them, but netboot also runs on older kernels.

References: landlock(7) and the numbers of linux/landlock.h; seccomp_rule_add(3).
"""

import ctypes
import os
import resource
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from errno import ENOSYS, EPERM
from pathlib import Path
from types import MappingProxyType

from netboot.errors import MissingTool

_libc = ctypes.CDLL(None, use_errno=True)

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_SIGKILL = 9
_PROGRAMS = tuple(Path(place) for place in ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32"))
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

# What reading and writing a WIM never needs. Threads are allowed, since wimlib compresses in them.
_DENIED = """
    socket socketpair connect accept accept4 bind listen shutdown
    sendto sendmsg sendmmsg recvfrom recvmsg recvmmsg
    fork vfork execve execveat kill tkill tgkill pidfd_open pidfd_getfd pidfd_send_signal
    ptrace process_vm_readv process_vm_writev perf_event_open userfaultfd bpf
    io_uring_setup io_uring_enter io_uring_register
    mount umount2 pivot_root chroot unshare setns mknod mknodat open_by_handle_at
    open_tree move_mount fsopen fsconfig fsmount fspick mount_setattr
    swapon swapoff acct reboot init_module finit_module delete_module kexec_load kexec_file_load
    add_key request_key keyctl
""".split()  # noqa: SIM905  (a table)
# What one program that starts another needs, as 7z's start script does.
_OF_PROGRAMS = frozenset({"fork", "vfork", "execve", "execveat", "kill"})
WALLS = ("limits", "network", "landlock", "seccomp")
# seccomp.h
_ACT_ALLOW, _ACT_ERRNO, _ACT_KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
_ATTRIBUTE_BAD_ARCHITECTURE = 2
_COMPARE_MASKED_EQUAL = 7


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a worker: bytes of address space, seconds, bytes of one file."""

    memory: int = 3 << 30
    cpu_seconds: int = 900
    file_size: int = 32 << 30
    seconds: float = 1800.0


def enter(limits: Limits, *, readable: Iterable[Path], writable: Iterable[Path]) -> list[str]:
    """Confine this process; returns the active walls. Must run before any thread starts.

    The walls are "limits", "network", "landlock" and "seccomp". Raises MissingTool.
    """
    seccomp = _libseccomp()  # while its file can still be opened
    _libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
    _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    # Landlock and seccomp require it of processes without CAP_SYS_ADMIN (landlock(7), seccomp(2)).
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
    if _restrict_calls(seccomp):
        walls.append("seccomp")
    return walls


def enter_for_programs(*, readable: Iterable[Path], writable: Iterable[Path]) -> list[str]:
    """Confine this process and the programs of the system that it starts; their limits are set.

    They read and start what is below /usr. Returns the active walls: "network", "landlock",
    "seccomp".
    """
    try:
        seccomp = _libseccomp()
    except MissingTool:
        seccomp = None
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    walls = ["network"] * _leave_network()
    programs = [*_PROGRAMS, *(Path(name) for name in ("/etc/ld.so.cache", "/dev/null"))]
    if _restrict_files(readable, writable, programs):
        walls.append("landlock")
    if seccomp is not None and _restrict_calls(seccomp, programs=True):
        walls.append("seccomp")
    return walls


def _leave_network() -> bool:
    """An empty network namespace: root needs nothing else, other users a user namespace."""
    if _libc.unshare(_CLONE_NEWNET) == 0:
        return True
    return bool(_libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0)


def _restrict_files(
    readable: Iterable[Path], writable: Iterable[Path], programs: Iterable[Path] = ()
) -> bool:
    version = _libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), _LANDLOCK_VERSION)
    if version < 1:
        return False
    # A kernel refuses rules with rights that it does not know, and denies only those that it does.
    known = (1 << _FS_RIGHTS.get(version, 16)) - 1
    attributes = struct.pack("=Q", known)
    ruleset = _libc.syscall(
        _LANDLOCK_CREATE, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint(0)
    )
    if ruleset < 0:
        return False
    try:
        rules = ((_READ_ONLY, readable), (_WORK, writable), (_READ_ONLY | _FS_EXECUTE, programs))
        for rights, paths in rules:
            for path in paths:
                _allow(ruleset, path, rights & known)
        return bool(_libc.syscall(_LANDLOCK_RESTRICT, ruleset, ctypes.c_uint(0)) == 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    """Allow `path` to this process, if it exists."""
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        # For a file, the kernel refuses (EINVAL) rights that only directories have.
        granted = rights if path.is_dir() else rights & _FS_FILE_RIGHTS
        rule = struct.pack("=Qi", granted, fd)
        code = _libc.syscall(
            _LANDLOCK_ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, ctypes.c_uint(0)
        )
        if code:
            raise OSError(ctypes.get_errno(), "landlock refuses a rule", str(path))
    finally:
        os.close(fd)


class _Comparison(ctypes.Structure):
    """A rule applies if `argument & mask == value` (struct scmp_arg_cmp)."""

    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("mask", ctypes.c_uint64),
        ("value", ctypes.c_uint64),
    )


def _libseccomp() -> ctypes.CDLL:
    """The library that knows the number of every system call on every architecture."""
    try:
        library = ctypes.CDLL("libseccomp.so.2")
    except OSError as error:
        raise MissingTool(
            "libseccomp.so.2 is not installed", hint="Install it: apt-get install libseccomp2"
        ) from error
    library.seccomp_init.restype = ctypes.c_void_p
    return library


def _restrict_calls(library: ctypes.CDLL, *, programs: bool = False) -> bool:
    """Deny the calls named above, new processes, and calls of another architecture.

    With `programs`, new processes and programs are allowed.
    """
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(_ACT_ALLOW)))
    if not context:
        return False

    def deny(name: str, error: int = EPERM, *where: _Comparison) -> int:
        return int(
            library.seccomp_rule_add_array(
                context,
                ctypes.c_uint32(_ACT_ERRNO | error),
                library.seccomp_syscall_resolve_name(name.encode()),
                ctypes.c_uint(len(where)),
                (_Comparison * len(where))(*where),
            )
        )

    # A thread has CLONE_THREAD, a new process does not.
    new_process = _Comparison(0, _COMPARE_MASKED_EQUAL, _CLONE_THREAD, 0)
    return not any(
        [
            # A 32-bit or x32 call has other numbers: it would pass every rule below.
            library.seccomp_attr_set(
                context, _ATTRIBUTE_BAD_ARCHITECTURE, ctypes.c_uint32(_ACT_KILL_PROCESS)
            ),
            *(deny(name) for name in _DENIED if not (programs and name in _OF_PROGRAMS)),
            0 if programs else deny("clone", EPERM, new_process),
            # clone3 hides its flags behind a pointer: without it, glibc falls back to clone.
            0 if programs else deny("clone3", ENOSYS),
            library.seccomp_load(context),
        ]
    )
