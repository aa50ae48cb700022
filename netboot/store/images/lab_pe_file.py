"""A prepared Lab PE as one file, for a site that has neither compiler nor mirror.

    netboot-lab-pe.json   kind, format, release, and every file with its size and SHA-256
    x64/… x86/…           images, kernels and drivers, in the order of that list

It is an ordinary tar file. It comes from outside, so nothing in it is used before all of it is
checked: a name that is not in the list, a second one, a link or a wrong digest refuses the file.
"""

import hashlib
import io
import json
import re
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from netboot.errors import InvalidInput, OperatorFault
from netboot.images.architecture import Architecture
from netboot.progress import Progress, silent
from netboot.store.content.disk_faults import explain_disk_fault

KIND = "netboot-lab-pe"
FORMAT = 1
HEAD = f"{KIND}.json"
PACKED = (Architecture.X64, Architecture.X86)
NEEDED = tuple(
    f"{architecture.value}/{name}"
    for architecture in PACKED
    for name in ("boot.wim", "vmlinuz", "initrd.gz")
)

LARGEST_HEAD = 1 << 20
LARGEST_FILE = 512 << 20
LARGEST_SUM = 1 << 30
MOST_FILES = 5000
_CHUNK = 1 << 20
_FILE = re.compile(
    r"packages\.txt|(x64|x86)/(boot\.wim|vmlinuz|initrd\.gz"
    r"|drivers/[A-Za-z0-9][A-Za-z0-9_-]{0,63}/[A-Za-z0-9][A-Za-z0-9_.-]{0,127})"
)
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,99}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_AGAIN = "Copy the file again, or make it again with `netboot lab-pe export`. Nothing was changed."


@dataclass(frozen=True, slots=True)
class Packed:
    """One file in it: bytes and SHA-256."""

    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class Head:
    """What a prepared file says of itself; `key` names the build, `release` made it."""

    key: str
    release: str
    files: Mapping[str, Packed]

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files.values())


def pack(folder: Path, out: BinaryIO, *, key: str, release: str) -> Head:
    """Write the build in `folder` as one file, the same bytes each time. Raises InvalidInput."""
    files = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if _FILE.fullmatch(name):
            with path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            files[name] = Packed(path.stat().st_size, digest)
    head = Head(key, release, files)
    _require_whole(head)
    listed = {name: [file.size, file.digest] for name, file in files.items()}
    about = {"kind": KIND, "format": FORMAT, "release": release, "key": key, "files": listed}
    text = json.dumps(about, indent=1).encode()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        tar.addfile(_member(HEAD, len(text)), io.BytesIO(text))
        for name, file in files.items():
            with (folder / name).open("rb") as stream:
                tar.addfile(_member(name, file.size), stream)
    return head


def read_head(stream: BinaryIO) -> Head:
    """The first member alone: enough to refuse a file of another kind. Raises InvalidInput."""
    with _opened(stream) as tar:
        return _head(tar)


def unpack(stream: BinaryIO, folder: Path, *, progress: Progress = silent) -> Head:
    """Check a prepared file and write its files below `folder`, an empty folder.

    Raises InvalidInput for anything that is not exactly what its list says, DiskFault.
    """
    with _opened(stream) as tar:
        head = _head(tar)
        _require_room(head, folder)
        try:
            _unpack_members(tar, head, folder, progress)
        except tarfile.TarError as fault:
            raise _refused(f"it is cut off ({fault})") from fault
    return head


def _unpack_members(tar: tarfile.TarFile, head: Head, folder: Path, progress: Progress) -> None:
    left, done = dict(head.files), 0
    while (member := tar.next()) is not None:
        expected = left.pop(member.name, None)
        if expected is None or not member.isreg() or member.issparse():
            raise _refused(f"{member.name[:100]!r} is not in its list of files")
        if member.size != expected.size:
            raise _refused(f"{member.name} has {member.size} bytes instead of {expected.size}")
        progress(done / max(1, head.size), f"checking {member.name}")
        _write(tar, member, folder / member.name, expected)
        done += member.size
    if left:
        raise _refused(f"it ends without {min(left)}")


@contextmanager
def _opened(stream: BinaryIO) -> Iterator[tarfile.TarFile]:
    # As a stream: it may be a pipe, and no compressed form is accepted.
    try:
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            yield tar
    except tarfile.TarError as fault:
        raise _no_such_kind() from fault


def _head(tar: tarfile.TarFile) -> Head:
    first = tar.next()
    if first is None or first.name != HEAD or not first.isreg():
        raise _no_such_kind()
    if first.size > LARGEST_HEAD:
        raise _refused("its list of files is too long")
    stream = tar.extractfile(first)
    try:
        about = json.loads(stream.read()) if stream else None
    except (ValueError, RecursionError) as fault:
        raise _refused("its list of files cannot be read") from fault
    if not isinstance(about, dict) or about.get("kind") != KIND:
        raise _no_such_kind()
    if about.get("format") != FORMAT:
        raise InvalidInput(
            f"this is a prepared Lab PE of format {about.get('format')!r:.20}; this release reads"
            f" format {FORMAT}",
            hint="Make the file with the release of netboot that this site runs.",
        )
    head = Head(str(about.get("key", "")), str(about.get("release", ""))[:40], _files(about))
    if not _KEY.fullmatch(head.key):
        raise _refused("its name is not valid")
    _require_whole(head)
    return head


def _files(about: Mapping[str, object]) -> Mapping[str, Packed]:
    listed = about.get("files")
    if not isinstance(listed, dict) or len(listed) > MOST_FILES:
        raise _refused("its list of files is not valid")
    files = {}
    for name, row in listed.items():
        match row:
            case [int(size), str(digest)] if (
                not isinstance(size, bool)
                and 0 <= size <= LARGEST_FILE
                and _DIGEST.fullmatch(digest)
            ):
                files[name] = Packed(size, digest)
            case _:
                raise _refused(f"size or digest of {name[:100]!r} is not valid")
        if not _FILE.fullmatch(name):
            raise _refused(f"a Lab PE has no file {name[:100]!r}")
    if sum(file.size for file in files.values()) > LARGEST_SUM:
        raise _refused(f"it holds more than {LARGEST_SUM >> 20} MiB")
    return files


def _require_whole(head: Head) -> None:
    lacking = [name for name in NEEDED if name not in head.files]
    if lacking:
        raise _refused(f"it lacks {', '.join(lacking)}")


def _require_room(head: Head, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < head.size:
        raise OperatorFault(
            f"{folder} has {free >> 20} MiB free; the Lab PE needs {(head.size >> 20) + 1}",
            hint="Free some disk space and try again. Nothing was changed.",
        )


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path, expected: Packed) -> None:
    source = tar.extractfile(member)
    assert source is not None
    sha, left = hashlib.sha256(), member.size
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as out:
            while left and (part := source.read(min(left, _CHUNK))):
                sha.update(part)
                out.write(part)
                left -= len(part)
    except OSError as fault:
        raise explain_disk_fault(fault, target.parent) from fault
    if left:
        raise _refused(f"it is cut off in {member.name}")
    if sha.hexdigest() != expected.digest:
        raise _refused(f"{member.name} does not match its digest")


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o644
    return member


def _no_such_kind() -> InvalidInput:
    return InvalidInput(
        "this is not a prepared Lab PE",
        hint="Make one with `netboot lab-pe export FILE`, on a machine with compiler and mirror.",
    )


def _refused(reason: str) -> InvalidInput:
    return InvalidInput(f"the prepared Lab PE is damaged or was altered: {reason}", hint=_AGAIN)
