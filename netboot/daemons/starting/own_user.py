"""Root's commands work as the user that the data folder belongs to, so its files have one owner.

`netboot run` that root starts keeps two capabilities for the processes that open the low ports, and
no process of it is root's. Where there is nobody to become, it stays root and says so. A site that
belongs to root stays root's: files that only root can read may belong to it, such as a TLS key.
"""

import ctypes
import os
import pwd
import shutil
import stat
import struct
import subprocess
import sys
import sysconfig
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import netboot

USER = "netboot"
"""The system user of a site that root makes without sudo, where there is such a user."""

# linux/capability.h, with their names for setpriv(1)
DAC_READ_SEARCH, SETGID, SETUID, NET_BIND_SERVICE, NET_RAW, SYS_ADMIN = 2, 6, 7, 10, 13, 21
_NAMES = {NET_BIND_SERVICE: "net_bind_service", NET_RAW: "net_raw", SYS_ADMIN: "sys_admin"}
NETWORK = frozenset({NET_BIND_SERVICE, NET_RAW})
"""What opens the low ports, and sees all packets of an interface (packet(7))."""

LAB = frozenset({SYS_ADMIN})
"""What creates a private network where ordinary users may not."""

_KEEPCAPS, _NO_NEW_PRIVS, _AMBIENT, _AMBIENT_RAISE = 8, 38, 47, 2  # linux/prctl.h
_CAPABILITY_VERSION_3 = 0x20080522
_KVM = Path("/dev/kvm")
_USUAL = {"lost+found"}
"""In the folder of a new file system, and no sign of a site."""


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this system."""

    uid: int
    gid: int
    name: str
    home: str


@dataclass(frozen=True, slots=True)
class Stays:
    """Why root's process stays root's, and what to do about it."""

    reason: str
    hint: str


def enter(data: Path, rights: Collection[int], *, lab: bool = False) -> Account | Stays | None:
    """Go on as the user of the site in `data`, with these capabilities; None if we are not root.

    The folder is made for that user if it is new; what root left in it is handed over. For a `lab`
    the user may also use /dev/kvm, and keeps what a private network needs here. Call it before any
    thread starts.
    """
    if os.geteuid() != 0:
        return None
    chosen = choose(data, os.environ)
    if isinstance(chosen, Stays):
        return chosen
    found = obstacle(data, chosen)
    if found:
        return Stays(found, f"Let {chosen.name} read it, or move it: for example to /srv.")
    needed = _lab_rights(chosen) if lab else ()
    if needed is None:
        return Stays(
            f"the user {chosen.name} may not create the lab's private network on this system",
            f"Serving a network (--interface) it runs as {chosen.name}.",
        )
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        _hand_over(data, chosen)
    except OSError as fault:  # such as a container without CAP_CHOWN
        return Stays(
            f"{data} cannot be given to {chosen.name} ({fault.strerror})",
            "Correct that, then start the site again; in a container, allow CAP_CHOWN.",
        )
    kept = {*rights, *needed}
    become(chosen, own=kept, inherited=kept, machines=lab)
    return chosen


def enter_as_owner(data: Path, rights: Collection[int]) -> None:
    """Go on as the owner of a data folder, if root calls and that is somebody else.

    What root may read, its command may read all the same: an image in /root can be imported.
    Programs that it starts have no right but `rights`.
    """
    if os.geteuid() != 0 or not data.is_dir() or data.stat().st_uid == 0:
        return
    owner = choose(data, os.environ)
    if isinstance(owner, Stays) or obstacle(data, owner):
        return
    with suppress(OSError):  # then what cannot be used is named where it is needed
        _hand_over(data, owner)
    become(owner, own={DAC_READ_SEARCH, *rights}, inherited=rights)


def choose(data: Path, environment: Mapping[str, str]) -> Account | Stays:
    """The user that a site in `data` runs as if root starts it."""
    if not {SETUID, SETGID} <= permitted():
        return Stays(
            "this system does not let root become another user",
            "In a container, allow CAP_SETUID and CAP_SETGID.",
        )
    found = data.stat() if data.is_dir() else None
    if found is not None and found.st_uid != 0:
        return _account(found.st_uid, found.st_gid)
    caller = environment.get("SUDO_UID", "")
    named = _account(int(caller), 0) if caller.isdecimal() and int(caller) else _named(USER)
    if found is not None and {one.name for one in data.iterdir()} - _USUAL:
        name = named.name if named else USER
        return Stays(
            f"the data folder {data} belongs to root",
            f"{_creating(named)}With the site stopped: chown -R {name}: {data}",
        )
    if named is None:
        return Stays(
            f"no user called sudo, and there is no user {USER}",
            f"{_creating(named)}With the site stopped: chown -R {USER}: {data}",
        )
    return named


def _creating(user: Account | None) -> str:
    command = f"useradd --system --no-create-home --shell /usr/sbin/nologin {USER}"
    return "" if user else f"Create that user: {command}. "


def _named(name: str) -> Account | None:
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(found.pw_uid, found.pw_gid, name, found.pw_dir)


def _account(uid: int, gid: int) -> Account:
    """The user with this number; `gid` is for one that has no entry."""
    try:
        found = pwd.getpwuid(uid)
    except KeyError:
        return Account(uid, gid or uid, str(uid), "/")
    return Account(uid, found.pw_gid, found.pw_name, found.pw_dir)


def obstacle(data: Path, account: Account) -> str:
    """What this user cannot reach although the site needs it; empty if all is well."""
    program = Path(netboot.__file__)
    interpreter, packages = Path(sys.executable), Path(sysconfig.get_path("purelib"))
    folder = next(path for path in (data.absolute(), *data.absolute().parents) if path.exists())
    above = folder.parent if folder == data.absolute() else folder
    readable = ((program, os.R_OK), (interpreter, os.R_OK | os.X_OK), (packages, os.R_OK | os.X_OK))
    for path, mode in (*readable, (above, os.X_OK)):
        if not _may(account, path, mode):
            return f"the user {account.name} cannot reach {path}"
    return ""


def _may(account: Account, path: Path, mode: int) -> bool:
    """Whether a user may do this; asked of the kernel, as that user for a moment."""
    groups, gid = os.getgroups(), os.getegid()
    try:
        os.setgroups(_groups(account))
        os.setegid(account.gid)
        os.seteuid(account.uid)
        return os.access(path, mode, effective_ids=True)
    except OSError:  # a user namespace that does not have this user
        return False
    finally:
        os.seteuid(0)
        os.setegid(gid)
        with suppress(PermissionError):  # such a namespace denies this one, too
            os.setgroups(groups)


def _groups(account: Account, *, machines: bool = False) -> list[int]:
    with_machines = [_KVM.stat().st_gid] if machines and _KVM.exists() else []
    return sorted({*os.getgrouplist(account.name, account.gid), *with_machines} - {0})


def _hand_over(data: Path, account: Account) -> None:
    """What root left in the folder gets its owner, and then the folder itself.

    Interrupted, it is continued by the next start: until then root can use all of it. A file that
    has another name outside the folder stays root's. The owner may rename things meanwhile: each
    is changed by its name in an open folder, so that no path leads root outside.
    """
    names = Counter((found.st_dev, found.st_ino) for _, _, found in _of_root(data))
    for folder, name, found in _of_root(data) if names else ():  # usually nothing is root's
        inside = names[found.st_dev, found.st_ino]
        if stat.S_ISDIR(found.st_mode) or found.st_nlink == inside:
            os.chown(name, account.uid, account.gid, dir_fd=folder, follow_symlinks=False)
    if data.stat().st_uid != account.uid:
        os.chown(data, account.uid, account.gid)


def _of_root(data: Path) -> Iterator[tuple[int, str, os.stat_result]]:
    """Everything below a folder that is root's: an open folder, the name in it, what it is."""
    device = data.stat().st_dev
    for _, folders, names, folder in os.fwalk(data):
        for name in (*folders, *names):
            with suppress(FileNotFoundError):  # the owner's services are at work
                found = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if found.st_uid == 0 and found.st_dev == device:
                    yield folder, name, found


def become(
    account: Account,
    *,
    own: Collection[int],
    inherited: Collection[int],
    machines: bool = False,
) -> None:
    """Go on as this user, with capabilities of its own and such as its programs inherit.

    What this process does not hold it does not keep.
    """
    held = permitted()
    libc = ctypes.CDLL(None, use_errno=True)
    os.environ.setdefault("SUDO_USER", pwd.getpwuid(os.getuid()).pw_name)  # for the audit log
    os.environ |= {"HOME": account.home, "USER": account.name, "LOGNAME": account.name}
    _asked(libc.prctl(_KEEPCAPS, 1, 0, 0, 0))
    os.setgroups(_groups(account, machines=machines))
    os.setresgid(account.gid, account.gid, account.gid)
    os.setresuid(account.uid, account.uid, account.uid)
    kept, passed = _mask(held & set(own)), _mask(held & set(inherited))
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    _asked(libc.capset(header, struct.pack("=6I", kept, kept, passed, 0, 0, 0)))
    for capability in held & set(inherited):
        _asked(libc.prctl(_AMBIENT, _AMBIENT_RAISE, capability, 0, 0))
    _asked(libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0))


def _asked(code: int) -> None:
    if code:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _mask(capabilities: Collection[int]) -> int:
    return sum(1 << capability for capability in capabilities)


def permitted() -> set[int]:
    """The capabilities that this process may use."""
    return _capabilities("CapPrm")


def _capabilities(field: str) -> set[int]:
    rows = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    (mask,) = (int(row.split()[1], 16) for row in rows if row.startswith(field))
    return {number for number in range(64) if mask >> number & 1}


def with_rights(command: Sequence[str], rights: Collection[int]) -> list[str]:
    """The command, started so that it inherits these capabilities alone."""
    surplus = sorted(_capabilities("CapAmb") - set(rights))
    if not surplus:
        return list(command)
    without = ",".join(f"-{_NAMES.get(number, f'cap_{number}')}" for number in surplus)
    setpriv = shutil.which("setpriv") or "/usr/bin/setpriv"
    return [setpriv, f"--ambient-caps={without}", f"--inh-caps={without}", "--", *command]


def _lab_rights(account: Account) -> Collection[int] | None:
    """What this user needs to create a private network as the lab does; None if it cannot.

    Systems differ in what they let ordinary users do (AppArmor, sysctl, seccomp), so it is tried.
    """
    user = [f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups", "--no-new-privs"]
    more = ["--inh-caps=+sys_admin", "--ambient-caps=+sys_admin"]
    network = ["unshare", "--user", "--map-root-user", "--net", "--mount", "--", "true"]
    for needed, words in (((), user), (LAB, [*user, *more])):
        command = ["setpriv", *words, "--", *network]
        with suppress(OSError):  # a program is missing: the lab itself will say so
            if subprocess.run(command, capture_output=True, check=False).returncode == 0:
                return needed
    return None


def rights_of_port(port: int) -> frozenset[int]:
    """What a process needs that listens on this TCP port."""
    return frozenset({NET_BIND_SERVICE}) if port < 1024 else frozenset()
