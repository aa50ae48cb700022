"""Runs 7z and cabextract behind walls, with limits of time, size and memory.

Where netboot is root they run as the user nobody. Landlock lets them read the archive and write the
target, so they reach no other file of the site, also where netboot is an ordinary user.

Archive and target are passed as open files, named as /proc/self/fd/n: the user nobody may have no
access to their folders, and needs no access to any other file. Such a name hides the archive's own
(so 7z is given the type, which it would else guess from the name), and opening it asks for the
file's mode again (so `lend` copies a file that nobody may not read). The bytes are counted while
the tool writes them; a tool that writes too much is killed together with its children.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from re import MULTILINE
from re import compile as pattern
from shutil import which
from signal import SIGKILL
from subprocess import DEVNULL, STDOUT, Popen, TimeoutExpired
from subprocess import run as run_tool
from tempfile import TemporaryFile
from time import monotonic
from typing import IO

from netboot.errors import InvalidInput, MissingTool, Quarantined
from netboot.progress import ByteProgress, silent
from netboot.store.foreign import walled

ARCHIVE, TARGET = "{archive}", "{target}"
SEVEN_ZIP = "7z"
CABEXTRACT = "cabextract"
PACKAGES = {SEVEN_ZIP: "p7zip-full", CABEXTRACT: "cabextract", "prlimit": "util-linux"}
MAX_LISTING = 32 << 20

_NOBODY = 65534
_POLL_SECONDS = 0.1
_CAB_LINE = pattern(r"^ *(\d+) \| [\d. :]{19} \| (.*)$", MULTILINE)
# What 7z opens although it is not an archive: it shows a program's sections as files.
_NO_ARCHIVES = frozenset({"PE", "ELF", "MachO", "TE", "Mub", "Compound"})
_BEFORE_ENTRIES = "\n----------\n"
# What 7z is told of each kind. In a program it must search.
_TYPES = {"zip": ["-tzip"], "7z": ["-t7z"], "udf": ["-tUdf"], "iso": ["-tIso"]}
_PIECE = 64 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of an archive. Sizes in bytes, times in seconds."""

    entries: int = 20_000
    total: int = 2 << 30
    entry: int = 1 << 30
    ratio: int = 20
    ratio_from: int = 10 << 20
    seconds: float = 120.0
    memory: int = 2 << 30


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry in an archive's table; a `link` is not a file."""

    name: str
    size: int
    link: bool = False


@dataclass(frozen=True, slots=True)
class Lent:
    """A file that user nobody can open; made by `lend`.

    Its `kind` is zip, 7z, cab, exe (one of these in a program), udf or iso.
    """

    path: Path
    kind: str


@contextmanager
def lend(
    path: Path, kind: str, folder: Path, *, copied: bool = False, progress: ByteProgress = silent
) -> Iterator[Lent]:
    """Let the tools read a file: itself, or a copy in `folder` if it is for its owner only.

    With `copied` it is always a copy, which nobody else can change. Raises OSError, and what
    `progress` raises.
    """
    if not copied and _tools_can_read(path):
        yield Lent(path, kind)
        return
    copy = folder / "lent"
    try:
        _copy(path, copy, progress)
        yield Lent(copy, kind)
    finally:
        copy.unlink(missing_ok=True)


def _tools_can_read(path: Path) -> bool:
    """Asked of the kernel, not of the mode: there may be an access control list."""
    with _opened(path) as fd:
        asked = ["test", "-r", f"/proc/self/fd/{fd}"]
        nobody = _nobody()
        done = run_tool(
            asked,
            pass_fds=(fd,),
            env={"PATH": os.defpath},
            user=nobody,
            group=nobody,
            extra_groups=[] if nobody else None,
            check=False,
        )
    return done.returncode == 0


def _copy(path: Path, copy: Path, progress: ByteProgress) -> None:
    with path.open("rb") as source, copy.open("xb") as target:
        os.fchmod(target.fileno(), 0o444)
        size, done = os.fstat(source.fileno()).st_size, 0
        while count := os.sendfile(target.fileno(), source.fileno(), None, _PIECE):
            done += count
            progress("copy", done, size)


def _nobody() -> int | None:
    """The user who runs the tools, if it is another one."""
    return _NOBODY if os.geteuid() == 0 else None


def list_entries(archive: Lent, seconds: float, memory: int) -> tuple[str, list[Entry]]:
    """The archive's table, and the tool that opens it. Raises InvalidInput, MissingTool."""
    leash = _Leash(archive, seconds=seconds, memory=memory, entry=MAX_LISTING)
    if archive.kind != "cab":
        told = _TYPES.get(archive.kind, [])
        listing = leash.run([SEVEN_ZIP, "l", "-slt", "-sccUTF-8", *told, "--", ARCHIVE])
        if listing is not None and _type(listing) not in _NO_ARCHIVES:
            return SEVEN_ZIP, list(_seven_zip_entries(listing))
    cabinet = archive.kind in {"cab", "exe"}
    listing = leash.run([CABEXTRACT, "-l", "--", ARCHIVE]) if cabinet else None
    entries = [Entry(name, int(size)) for size, name in _CAB_LINE.findall(listing or "")]
    if not entries:
        raise InvalidInput(
            "the archive cannot be opened, or it is empty",
            hint="Extract it with the vendor's program and import the folder.",
        )
    return CABEXTRACT, entries


def extract_all(tool: str, archive: Lent, target: Path, limits: Limits) -> None:
    """Unpack everything below `target`, an empty folder. Raises Quarantined, InvalidInput."""
    leash = _Leash(archive, seconds=limits.seconds, memory=limits.memory, entry=limits.entry)
    leash.watch(target, limits.total, limits.entries)
    if tool == SEVEN_ZIP:
        argv = [
            SEVEN_ZIP,
            "x",
            "-y",
            "-bd",
            *_TYPES.get(archive.kind, []),
            f"-o{TARGET}",
            "--",
            ARCHIVE,
        ]
    else:
        argv = [CABEXTRACT, "-q", "-d", TARGET, "--", ARCHIVE]
    if leash.run(argv) is None:
        raise InvalidInput("the archive is damaged or password-protected")


def extract_one(
    archive: Lent, name: str, out: IO[bytes], limits: Limits, look: Callable[[], None]
) -> None:
    """Write one file to `out`, and call `look` meanwhile.

    Raises Quarantined, InvalidInput, and what `look` raises.
    """
    leash = _Leash(archive, seconds=limits.seconds, memory=limits.memory, entry=limits.entry)
    # -spd: the name is not a pattern
    argv = [SEVEN_ZIP, "x", "-so", "-spd", "-bd", *_TYPES[archive.kind], "--", ARCHIVE, name]
    if leash.pour(argv, out, look):
        raise InvalidInput("the archive is damaged or password-protected")


def _type(listing: str) -> str:
    """The file's type, as 7z sees it: it names the innermost archive last."""
    head = listing.partition(_BEFORE_ENTRIES)[0]
    types = [line[7:] for line in head.splitlines() if line.startswith("Type = ")]
    return types[-1] if types else ""


def _seven_zip_entries(listing: str) -> Iterator[Entry]:
    """The blocks of `key = value` lines after the ruler."""
    for block in listing.partition(_BEFORE_ENTRIES)[2].split("\n\n"):
        values = dict(line.split(" = ", 1) for line in block.splitlines() if " = " in line)
        name, attributes = values.get("Path", ""), values.get("Attributes", "")
        if not name or values.get("Folder") == "+" or attributes.startswith("D"):
            continue
        size = values.get("Size", "")
        # Attributes end in the Unix mode if the archive has it, as in "A_ lrwxrwxrwx".
        link = bool(values.get("Symbolic Link") or values.get("Hard Link"))
        link = link or attributes.rpartition(" ")[2].startswith("l")
        yield Entry(name, int(size) if size.isdecimal() else 0, link)


class _Leash:
    """Runs a tool within limits; replaces ARCHIVE and TARGET in its arguments."""

    def __init__(self, archive: Lent, *, seconds: float, memory: int, entry: int) -> None:
        self._archive = archive.path
        self._seconds = seconds
        self._limits = [f"--as={memory}", f"--fsize={entry}", f"--cpu={int(seconds) + 1}"]
        self._target = self._archive.parent
        self._watched = False
        self._total = self._entries = 0
        self._look: Callable[[], None] = self._count

    def watch(self, target: Path, total: int, entries: int) -> None:
        """Let the tool write below `target`, and count what it writes."""
        self._target, self._total, self._entries = target, total, entries
        self._watched = True
        if os.geteuid() == 0:  # then the tool runs as nobody, see `_run`
            os.chown(target, _NOBODY, _NOBODY)

    def run(self, argv: list[str]) -> str | None:
        """What the tool says; None if it fails."""
        with TemporaryFile(dir=self._archive.parent) as out:
            code = self._start(argv, out, STDOUT)
            out.seek(0)
            text = out.read(MAX_LISTING).decode("utf-8", "replace")
        return text if code == 0 else None

    def pour(self, argv: list[str], out: IO[bytes], look: Callable[[], None]) -> int:
        """Let the tool write to `out`; its exit code."""
        self._look = look
        return self._start(argv, out, DEVNULL)

    def _start(self, argv: list[str], out: IO[bytes], errors: int) -> int:
        for tool in ("prlimit", argv[0]):
            if which(tool) is None:
                hint = f"Install it: apt-get install {PACKAGES[tool]}"
                raise MissingTool(f"{tool} is not installed", hint=hint)
        with ExitStack() as stack:
            archive, target = (
                stack.enter_context(_opened(p)) for p in (self._archive, self._target)
            )
            words = [
                word.replace(ARCHIVE, f"/proc/self/fd/{archive}").replace(
                    TARGET, f"/proc/self/fd/{target}"
                )
                for word in argv
            ]
            limited = ["prlimit", "--core=0", *self._limits, "--", *words]
            return self._run(limited, out, errors, archive, target)

    def _run(self, argv: list[str], out: IO[bytes], errors: int, *handed_over: int) -> int:
        written = [self._target] if self._watched else []
        with Popen(
            walled.command(argv, readable=[self._archive], writable=written, user=_nobody()),
            cwd="/",
            stdin=DEVNULL,
            stdout=out,
            stderr=errors,
            pass_fds=handed_over,
            start_new_session=True,
            env=walled.environment(),
        ) as process:
            try:
                return self._wait(process)
            finally:
                self._end(process)

    def _wait(self, process: Popen[bytes]) -> int:
        deadline = monotonic() + self._seconds
        while True:
            try:
                code = process.wait(_POLL_SECONDS)
            except TimeoutExpired:
                code = None
            self._look()
            if code is not None:
                return code
            if monotonic() > deadline:
                raise Quarantined("unpacking the archive takes too long")

    def _count(self) -> None:
        if not self._watched:
            return
        size = entries = 0
        for folder, _, names in os.walk(self._target):
            entries += len(names)
            for name in names:
                with suppress(FileNotFoundError):
                    size += os.lstat(f"{folder}/{name}").st_size
        if size > self._total or entries > self._entries:
            raise Quarantined("the archive contains more than its directory lists")

    def _end(self, process: Popen[bytes]) -> None:
        """Kill what is left of the tool and its children."""
        with suppress(ProcessLookupError):
            os.killpg(process.pid, SIGKILL)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
