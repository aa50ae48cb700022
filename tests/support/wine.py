"""A small Windows from Debian 13's Wine 10: cmd.exe and setupapi.dll, without a screen.

`python -m tests.support.wine` fetches it into the cache (116 MB; some 80 MB stay); the tests use
what is there and are skipped otherwise. It runs in a root folder of its own, since Debian 12 has
only Wine 8, whose cmd.exe takes `a && b || c` for something else than Windows does. No wineboot:
the drive is laid out here, so a command starts in a fifth of a second.
"""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp

from netboot.errors import MissingTool, NetbootError, OperatorFault
from netboot.images.architecture import Architecture
from vm import labpe
from vm.labpe.packages import AptTree, read_files

SUITE = "trixie"
COMPILER = "x86_64-w64-mingw32-gcc"
PROGRAMS = Path(__file__).parent / "windows_programs"
HINT = "scripts/setup test fetches it where Debian 13's packages can be reached"

_LIBRARIES = "usr/lib/x86_64-linux-gnu"
_WINDOWS = f"{_LIBRARIES}/wine/x86_64-windows"
_PACKAGES = ("libwine", "wine64", "libc6", "libgcc-s1", "libunwind8", "liblzma5", "libz-mingw-w64")
_MODULES = (
    *("advapi32.dll", "apisetschema.dll", "cmd.exe", "combase.dll", "conhost.exe", "gdi32.dll"),
    *("kernel32.dll", "kernelbase.dll", "msvcrt.dll", "ntdll.dll", "ole32.dll", "rpcrt4.dll"),
    *("sechost.dll", "setupapi.dll", "shcore.dll", "shell32.dll", "shlwapi.dll", "start.exe"),
    *("ucrtbase.dll", "user32.dll", "userenv.dll", "win32u.dll", "ws2_32.dll"),
)
_WANTED = frozenset(
    {
        "usr/lib/wine/wine64",
        "usr/lib/wine/wineserver64",
        "usr/lib64/ld-linux-x86-64.so.2",
        "usr/x86_64-w64-mingw32/lib/zlib1.dll",
        *(f"{_LIBRARIES}/wine/x86_64-unix/{name}.so" for name in ("ntdll", "win32u", "ws2_32")),
        *(f"{_LIBRARIES}/lib{name}" for name in ("c.so.6", "m.so.6", "gcc_s.so.1", "unwind.so.8")),
        *(f"{_LIBRARIES}/{name}" for name in ("ld-linux-x86-64.so.2", "liblzma.so.5")),
        *(f"{_WINDOWS}/{name}" for name in _MODULES),
    }
)
_LINKED = (f"{_LIBRARIES}/liblzma.so.5", f"{_LIBRARIES}/libunwind.so.8")
_PLACES = {
    "usr/lib/wine/wineserver64": "usr/lib/wine/wineserver",
    "usr/x86_64-w64-mingw32/lib/zlib1.dll": f"{_WINDOWS}/zlib1.dll",
}
_SECONDS = 500
_INSIDE = r"""
mount --rbind /proc "$1/proc" && mount --rbind /dev "$1/dev" || exit 125
mount --bind "$2" "$1/pc" || exit 125
root=$1
shift 2
chroot "$root" /usr/lib/wine/wineserver -p0
chroot "$root" /usr/lib/wine/wine64 "$@"
code=$?
chroot "$root" /usr/lib/wine/wineserver -w
exit $code
"""
"""Wait for what the program left running (`start`) before the namespace ends with all in it."""


def folder() -> Path:
    """Where Wine is, or will be; another list of files has another folder."""
    recipe = sha256(repr((sorted(_WANTED), _PACKAGES, SUITE)).encode()).hexdigest()[:12]
    return labpe.cache_folder().parent / f"wine-{recipe}"


def missing() -> str:
    """Why no Windows program can run here, or ""."""
    if platform.machine() != "x86_64":
        return (
            f"Wine runs Windows programs for x64 on such a processor only, not {platform.machine()}"
        )
    if not folder().exists():
        return f"Wine 10 is not here: {HINT}"
    if shutil.which(COMPILER) is None:
        return f"{COMPILER} is not installed (apt-get install gcc-mingw-w64-x86-64-win32)"
    return ""


def fetch() -> Path:
    """Fetch Wine, unless it is here. Raises OperatorFault."""
    place = folder()
    if place.exists():
        return place
    cache = place.parent
    cache.mkdir(parents=True, exist_ok=True)
    apt = AptTree(cache / "apt-wine", suite=SUITE)
    try:
        apt.update()
        files = read_files(apt.download(_PACKAGES, Architecture.X64), _is_wanted)
    finally:
        shutil.rmtree(apt.folder, ignore_errors=True)
    lacking = sorted(_WANTED - files.keys())
    if lacking:
        raise OperatorFault(
            f"Debian's Wine has no {lacking[0]}", hint="Adapt tests/support/wine.py."
        )
    made = Path(mkdtemp(prefix="wine-", dir=cache))
    for name, data in files.items():
        path = made / _PLACES.get(name, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o755)
    for name in ("proc", "dev", "pc", "tmp"):
        (made / name).mkdir()
    (made / "lib64").symlink_to("usr/lib64")
    (made / "lib").symlink_to("usr/lib")
    made.chmod(0o755)
    for old in cache.glob("wine-*"):
        if old != made:
            shutil.rmtree(old, ignore_errors=True)
    try:
        made.rename(place)
    except OSError:  # another run was faster
        shutil.rmtree(made)
    return place


def _is_wanted(name: str) -> bool:
    # The names of some libraries are links to names that end in their version.
    return name in _WANTED or name.startswith(("usr/share/wine/nls/", *_LINKED))


@dataclass(frozen=True, slots=True)
class Ended:
    """A Windows program that has ended: its code, and what it printed, with LF."""

    code: int
    output: str


@dataclass(frozen=True, slots=True)
class WindowsPc:
    """A computer of its own in `home`; its drive C: is `home/c`, and Windows is in C:\\Windows."""

    home: Path

    def __post_init__(self) -> None:
        devices = self.home / "prefix" / "dosdevices"
        devices.mkdir(parents=True)
        (self.home / "c").mkdir()
        (devices / "c:").symlink_to("/pc/c")
        # Wine looks for C:\windows in lower case first, as its own files are.
        self.system.mkdir(parents=True)
        for module in (folder() / _WINDOWS).iterdir():
            (self.system / module.name).symlink_to(f"/{_WINDOWS}/{module.name}")

    @property
    def windows(self) -> Path:
        return self.home / "c" / "windows"

    @property
    def system(self) -> Path:
        return self.windows / "system32"

    def run(self, *argv: str, typed: str = "") -> Ended:
        """Run a program with these arguments and input, and wait for all that it started."""
        rights = [] if os.geteuid() == 0 else ["--map-root-user"]
        environment = {
            "PATH": f"{os.defpath}:/usr/sbin:/sbin",
            "HOME": "/pc",
            "WINEPREFIX": "/pc/prefix",
            "WINEDEBUG": "-all",
            "LC_ALL": "C.UTF-8",
            # wineboot would take these from the registry.
            "WINEPATH": r"C:\windows\system32;C:\windows",
            "PATHEXT": ".COM;.EXE;.BAT;.CMD",
            "ComSpec": r"C:\windows\system32\cmd.exe",
            "SystemDrive": "C:",
        }
        # Wine's cmd.exe loses what follows the first line in a pipe.
        keys = self.home / "typed.txt"
        keys.write_bytes(typed.encode())
        with keys.open("rb") as typing:
            done = subprocess.run(
                ["unshare", *rights, "--mount", "--pid", "--fork", "--kill-child", "--",
                 "/bin/sh", "-c", _INSIDE, "sh", str(folder()), str(self.home), *argv],
                stdin=typing, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                timeout=_SECONDS, check=False, env=environment,
            )  # fmt: skip
        return Ended(done.returncode, done.stdout.decode("utf-8", "replace").replace("\r\n", "\n"))


def compiled(name: str, target: Path, *libraries: str) -> Path:
    """A program from `windows_programs`, built as `target`."""
    words: Sequence[str] = [f"-l{library}" for library in libraries]
    subprocess.run(
        [COMPILER, "-O1", "-Wall", "-Werror", "-municode", "-o", target, PROGRAMS / name, *words],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return target


def say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def main() -> int:
    """Fetch Wine; returns 2 if that is not possible here."""
    if platform.machine() != "x86_64":
        say("Wine runs Windows programs on x64 only: tests under Windows are skipped.")
        return 0
    if not folder().exists():
        say("Fetching Wine 10 from Debian 13 (116 MB)")
    try:
        fetch()
    except NetbootError as fault:
        hint = fault.hint if isinstance(fault, OperatorFault | MissingTool) else ""
        say(f"Wine 10 could not be fetched: {fault}")
        say(f"  -> Tests that need Windows programs are skipped. {hint}")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
