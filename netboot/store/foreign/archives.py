"""Unpacks untrusted archives: ZIP here, the others by 7z and cabextract under limits.

A file from a ZIP gets a generated name; its name in the archive is only an entry of a list. Another
program unpacks the other kinds, as user nobody, into a folder of its own. The archive's table is
checked against the limits first, and while unpacking the real bytes are counted, since the table
may be false. Archives inside archives are not opened.
"""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from errno import EINVAL
from itertools import pairwise
from pathlib import Path
from shutil import rmtree
from stat import S_IFMT, S_IFREG
from struct import Struct
from tempfile import mkdtemp
from time import monotonic
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from netboot.errors import InvalidInput, Quarantined
from netboot.store.foreign.unpackers import Entry, Limits, extract_all, lend, list_entries

MAX_NAME = 400
_CHUNK = 1 << 20
_ENCRYPTED = 0x1
# The others need as much memory as their header says, or zipfile does not know them.
_METHODS = frozenset({ZIP_STORED, ZIP_DEFLATED})
# Number of entries and size of the table.
_END_RECORD = Struct("<10xHI6x")
_END_SEARCH = 22 + 0xFFFF
_MAX_TABLE_ENTRY = 46 + MAX_NAME + 256


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file: its name in the folder or archive (forward slashes), and the path of its bytes."""

    name: str
    path: Path
    size: int


def kind(path: Path) -> str:
    """`zip`, `cab`, `7z`, `exe`, or empty if it is not an archive that we open."""
    with path.open("rb") as file:
        head = file.read(8)
    for mark, name in ((b"PK\3\4", "zip"), (b"PK\5\6", "zip"), (b"MSCF", "cab"), (b"MZ", "exe")):
        if head.startswith(mark):
            return name
    return "7z" if head.startswith(b"7z\xbc\xaf\x27\x1c") else ""


@contextmanager
def unpacked(archive: Path, scratch: Path, limits: Limits) -> Iterator[list[SourceFile]]:
    """The files of an archive, deleted after the `with`.

    Raises:
        Quarantined: it is dangerous to open.
        InvalidInput: it cannot be opened.
        MissingTool: the program that opens this kind is not installed.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    folder = Path(mkdtemp(prefix="unpack-", dir=scratch))
    try:
        with naming(archive):
            files = _unpack(archive, folder, limits)
        yield files
    finally:
        rmtree(folder, ignore_errors=True)


@contextmanager
def naming(archive: Path) -> Iterator[None]:
    """Every refusal says which file it is about: a source may be one of many."""
    try:
        yield
    except InvalidInput as fault:
        if archive.name in str(fault):
            raise
        raise type(fault)(f"{archive.name}: {fault}", hint=fault.hint) from fault


def _unpack(archive: Path, folder: Path, limits: Limits) -> list[SourceFile]:
    try:
        what = kind(archive)
    except OSError as fault:
        raise InvalidInput(f"{archive.name} cannot be read: {fault.strerror}") from fault
    if what == "zip" or (what == "exe" and _holds_zip(archive)):
        return _unpack_zip(archive, folder, limits)
    if what:
        return _unpack_foreign(archive, what, folder, limits)
    raise InvalidInput(
        f"{archive.name} is not a supported archive",
        hint="Choose a folder, an INF, a ZIP, CAB or 7z file, or a self-extracting EXE.",
    )


def check_name(name: str) -> str:
    """The name of an entry with forward slashes; entries must stay inside. Raises Quarantined."""
    clean = name.replace("\\", "/")
    parts = clean.split("/")
    outside = clean.startswith("/") or ".." in parts or ":" in clean
    if outside or len(clean) > MAX_NAME or any(c < " " or c == "\x7f" for c in clean):
        raise Quarantined(
            f"an entry has an invalid name or a path outside the archive: {name[:100]!r}",
            hint="Extract it, check its contents and import the folder.",
        )
    inside = "/".join(part for part in parts if part not in {"", "."})
    if not inside and not clean.endswith("/"):  # `./` is the archive's own folder
        raise Quarantined(
            f"an entry has no name: {name[:100]!r}",
            hint="Extract it, check its contents and import the folder.",
        )
    return inside


def check_table(entries: list[tuple[str, int]], packed: int, limits: Limits) -> None:
    """Check an archive's table (names and sizes) against the limits. Raises Quarantined."""
    total = sum(size for _, size in entries)
    if len(entries) > limits.entries:
        raise _too_much(f"more than {limits.entries} entries")
    if total > limits.total:
        raise _too_much(f"more than {limits.total >> 20} MiB when extracted")
    if any(size > limits.entry for _, size in entries):
        raise _too_much(f"a file of more than {limits.entry >> 20} MiB")
    if total > limits.ratio_from and total > limits.ratio * packed:
        raise _too_much(f"more than {limits.ratio} times its own size when extracted")
    seen: dict[str, str] = {}
    for name, _ in entries:
        rival = seen.setdefault(name.casefold(), name)
        if rival is not name:
            raise Quarantined(f"two entries have the same name except for case: {name[:100]!r}")


def _too_much(what: str) -> Quarantined:
    return Quarantined(
        f"the archive contains {what}", hint="Extract it and import the folders that you need."
    )


def _holds_zip(path: Path) -> bool:
    try:
        with ZipFile(path):
            return True
    except (BadZipFile, OSError, ValueError, NotImplementedError):
        return False


def _unpack_zip(archive: Path, folder: Path, limits: Limits) -> list[SourceFile]:
    _check_directory(archive, limits)
    try:
        with ZipFile(archive) as zipped:
            entries = [(entry, _zip_name(entry)) for entry in zipped.infolist()]
            entries = [(entry, name) for entry, name in entries if not _is_folder(entry)]
            table = [(name, entry.file_size) for entry, name in entries]
            check_table(table, archive.stat().st_size, limits)
            _check_overlap([entry for entry, _ in entries])
            if any(entry.compress_type not in _METHODS for entry, _ in entries):
                return _unpack_foreign(archive, "zip", folder, limits)
            return _inflate_all(zipped, entries, folder, limits)
    except (BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError) as error:
        raise InvalidInput(f"{archive.name} cannot be extracted: {error}") from error
    except OSError as error:
        # zipfile seeks to any offset in a damaged table.
        if error.errno != EINVAL:
            raise
        raise InvalidInput(
            f"{archive.name} cannot be extracted: its directory is damaged"
        ) from error


def _check_directory(archive: Path, limits: Limits) -> None:
    """Check the end record (APPNOTE 4.3.16) before zipfile reads the whole table into memory."""
    with archive.open("rb") as file:
        file.seek(max(0, archive.stat().st_size - _END_SEARCH))
        tail = file.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) - at < _END_RECORD.size:
        return
    count, size = _END_RECORD.unpack_from(tail, at)
    if count > limits.entries or size > limits.entries * _MAX_TABLE_ENTRY:
        raise _too_much(f"more than {limits.entries} entries")


def _inflate_all(
    zipped: ZipFile, entries: list[tuple[ZipInfo, str]], folder: Path, limits: Limits
) -> list[SourceFile]:
    deadline = monotonic() + limits.seconds
    left = limits.total
    files = []
    for number, (entry, name) in enumerate(entries):
        target = folder / f"{number:06}"
        size = _inflate(zipped, entry, target, min(left, limits.entry), deadline)
        left -= size
        files.append(SourceFile(name, target, size))
    return files


def _zip_name(entry: ZipInfo) -> str:
    mode = S_IFMT(entry.external_attr >> 16)
    if mode not in {0, S_IFREG} and not _is_folder(entry):
        raise Quarantined(f"an entry is not a regular file: {entry.filename[:100]!r}")
    if entry.flag_bits & _ENCRYPTED:
        raise InvalidInput(
            "the archive is password-protected", hint="Extract it and import the folder."
        )
    # orig_filename, for zipfile cuts names at a NUL.
    return check_name(entry.orig_filename)


def _is_folder(entry: ZipInfo) -> bool:
    # ZipInfo.is_dir of Python 3.11 fails for an empty name.
    name = entry.filename
    return name.endswith("/") or (name.endswith("\\") and not entry.file_size)


def _check_overlap(entries: list[ZipInfo]) -> None:
    """In zip bombs many entries share the same packed bytes (D. Fifield, "A better zip bomb")."""
    entries = sorted(entries, key=lambda entry: entry.header_offset)
    for entry, after in pairwise(entries):
        if entry.header_offset + 30 + entry.compress_size > after.header_offset:
            raise Quarantined("entries of the archive share compressed data")


def _inflate(zipped: ZipFile, entry: ZipInfo, target: Path, allowance: int, deadline: float) -> int:
    size = 0
    with zipped.open(entry) as packed, target.open("xb") as out:
        while chunk := packed.read(_CHUNK):
            size += len(chunk)
            if size > allowance or size > entry.file_size:
                raise _too_much("more than its directory lists")
            if monotonic() > deadline:
                raise _too_much("more than can be extracted in time")
            out.write(chunk)
    return size


def _unpack_foreign(archive: Path, what: str, folder: Path, limits: Limits) -> list[SourceFile]:
    """Unpack with a program of the system, into a folder that only this program writes to."""
    inside = folder / "inside"
    inside.mkdir()
    with lend(archive, what, folder, copied=True) as copy:
        tool, entries = list_entries(copy, limits.seconds, limits.memory)
        check_table(_clean(entries), archive.stat().st_size, limits)
        extract_all(tool, copy, inside, limits)
    files = list(_collect(inside))
    check_table([(file.name, file.size) for file in files], archive.stat().st_size, limits)
    return files


def _clean(entries: list[Entry]) -> list[tuple[str, int]]:
    for entry in entries:
        if entry.link:
            raise Quarantined(f"an entry is not a regular file: {entry.name[:100]!r}")
    return [(check_name(entry.name), entry.size) for entry in entries]


def _collect(inside: Path) -> Iterator[SourceFile]:
    """The unpacked files. Raises Quarantined for links and special files."""
    for path in sorted(inside.rglob("*")):
        status = path.lstat()
        if path.is_dir() and not path.is_symlink():
            continue
        name = path.relative_to(inside).as_posix()
        if S_IFMT(status.st_mode) != S_IFREG or status.st_nlink != 1:
            raise Quarantined(f"an entry is not a regular file: {name[:100]!r}")
        yield SourceFile(check_name(name), path, status.st_size)
