"""Backup files: an ordinary tar file, with a table of contents and a seal at its end.

    netboot-backup.json   which site's backup this is: id, release, schema, time
    database/… journal/…  rows as JSON lines, compressed by gzip
    files/…               settings, secret, certificate, pointer and manifests
    blobs/ab/abcd…        content by digest
    contents.json.gz      every member with its place and digest, and what else the backup has
    seal.json             the SHA-256 of every byte before it

The seal is in the last kilobytes, so a file that is cut off is known at once. The headers are
written here, not by `tarfile`, because the seal covers them too.
"""

import fcntl
import gzip
import hashlib
import json
import os
import secrets
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Self

from netboot.errors import AlreadyExists, DigestMismatch, InvalidInput, NotPermitted
from netboot.progress import Progress, silent
from netboot.store.content.blobs import CHUNK, PREFIX, sync_folder
from netboot.store.content.disk_faults import disk_fault
from netboot.store.content.staging_area import clear_unless_in_use

FORMAT = 1
HEAD, CONTENTS, SEAL = "netboot-backup.json", "contents.json.gz", "seal.json"
SITE, DATABASE = "site", "database"
"""What a backup holds: all of a site, or the database before an upgrade."""

BLOCK = 512
END = bytes(2 * BLOCK)
TAIL = BLOCK + BLOCK + len(END)
"""The seal's header, its text, and the two empty blocks that end a tar file."""

LARGEST_PART = 256 << 20
"""Bytes of an unpacked member that is read into memory; netboot writes parts of a few MiB."""

AGAIN = "Use another backup. Nothing was changed."


@dataclass(frozen=True, slots=True)
class Head:
    """Which backup this is: `made_at` is epoch seconds, `schema` the database's revision."""

    id: str
    kind: str
    release: str
    schema: str
    made_at: float
    format: int = FORMAT


@dataclass(frozen=True, slots=True)
class Member:
    """A file in a backup: where its bytes begin, how many, and their digest."""

    name: str
    offset: int
    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class Base:
    """An earlier backup that holds blobs of an incremental one."""

    id: str
    name: str
    made_at: float


@dataclass(frozen=True, slots=True)
class Contents:
    """What a backup has besides its members.

    `tables` are what `row_copies` counted; `stores` are the digests that each store needs;
    `elsewhere` is the id of the backup that holds a blob; `missing` was not in the site either.
    """

    tables: dict[str, dict[str, Any]]
    journal: dict[str, int] = field(default_factory=dict)
    stores: dict[str, list[str]] = field(default_factory=dict)
    elsewhere: dict[str, str] = field(default_factory=dict)
    bases: tuple[Base, ...] = ()
    missing: tuple[str, ...] = ()


class BackupWriter:
    """Writes members one after the other."""

    def __init__(self, out: BinaryIO, head: Head) -> None:
        self._out = out
        self._sha = hashlib.sha256()
        self.size = 0
        self._members: list[Member] = []
        self.add(HEAD, json.dumps(asdict(head), indent=1).encode())

    def add(self, name: str, data: bytes) -> None:
        self._write(_header(name, len(data)))
        digest = PREFIX + hashlib.sha256(data).hexdigest()
        self._members.append(Member(name, self.size, len(data), digest))
        self._write(data + _padding(len(data)))

    def add_blob(self, path: Path, digest: str, pace: Callable[[int], None]) -> bool:
        """Add the bytes of a blob; False, and no trace in the file, if they are damaged.

        `pace` is called with the bytes of each piece.
        """
        before, sha = self.size, self._sha.copy()
        name = f"blobs/{digest.removeprefix(PREFIX)[:2]}/{digest.removeprefix(PREFIX)}"
        with _readable(path) as stream:
            if stream is not None:
                size = os.fstat(stream.fileno()).st_size
                self._write(_header(name, size))
                member = Member(name, self.size, size, digest)
                if self._copied(stream, size, pace) == digest:
                    self._write(_padding(size))
                    self._members.append(member)
                    return True
        self._out.seek(before)
        self._out.truncate()
        self.size, self._sha = before, sha
        return False

    def finish(self, contents: Contents) -> None:
        """Write the table of contents and the seal."""
        value = {**asdict(contents), "members": [_values(member) for member in self._members]}
        self.add(CONTENTS, packed(json.dumps(value).encode()))
        table = self._members[-1]
        seal = {
            "contents": [table.offset, table.size, table.digest],
            "size": self.size,
            "sha256": self._sha.hexdigest(),
        }
        text = json.dumps(seal).encode().ljust(BLOCK)
        self._write(_header(SEAL, BLOCK) + text + END)

    def _copied(self, stream: BinaryIO, size: int, pace: Callable[[int], None]) -> str:
        """Copy `size` bytes; their digest, or empty if they cannot be read."""
        sha, left = hashlib.sha256(), size
        while left:
            try:
                piece = stream.read(min(CHUNK, left))
            except OSError:
                return ""
            if not piece:
                return ""
            sha.update(piece)
            self._write(piece)
            left -= len(piece)
            pace(len(piece))
        return PREFIX + sha.hexdigest()

    def _write(self, data: bytes) -> None:
        self._out.write(data)
        self._sha.update(data)
        self.size += len(data)


@contextmanager
def new_backup(path: Path, head: Head) -> Iterator[BackupWriter]:
    """Write a backup: it has its name when it is complete and on the disk, and is for its owner.

    Raises AlreadyExists, DiskFault, NotPermitted; then nothing is left.
    """
    if path.exists() or path.is_symlink():
        raise AlreadyExists(
            f"{path} exists already", hint="Name another file, or a folder for all backups."
        )
    try:
        for left in path.parent.glob(".netboot-backup-*.part"):
            clear_unless_in_use(left)
        part = path.with_name(f".netboot-backup-{secrets.token_hex(8)}.part")
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except OSError as fault:
        raise _explained(fault, path) from fault
    try:
        with os.fdopen(fd, "wb", buffering=CHUNK) as out:
            fcntl.flock(out, fcntl.LOCK_EX)  # others see that it is in use
            yield BackupWriter(out, head)
            out.flush()
            os.fsync(out.fileno())
            part.rename(path)
        sync_folder(path.parent)
    except OSError as fault:
        raise _explained(fault, path) from fault
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


class BackupFile:
    """A backup to be read. Raises InvalidInput if it is none, is cut off or is of a newer form."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._stream = path.open("rb")
        except OSError as fault:
            raise InvalidInput(
                f"{path} cannot be read: {fault.strerror}", hint="Name a backup file."
            ) from fault
        try:
            self.head = self._head()
            self._seal = self._read_seal()
            self.contents, self.members = self._contents()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def check(self, progress: Progress = silent) -> None:
        """Read every byte. Raises InvalidInput that names what was altered."""
        sha, done, size = hashlib.sha256(), 0, int(self._seal["size"])
        self._stream.seek(0)
        while done < size:
            piece = self._stream.read(min(CHUNK, size - done))
            if not piece:
                break
            sha.update(piece)
            done += len(piece)
            progress(done / size, "verifying")
        is_intact = done == size and sha.hexdigest() == self._seal["sha256"]
        if not is_intact or self._stream.read() != self._tail():
            wrong = self._first_altered()
            raise InvalidInput(f"{self.path} was altered: {wrong} is not as written", hint=AGAIN)

    def read(self, member: Member) -> bytes:
        """The bytes of a member, which is small. Raises InvalidInput."""
        data = b"".join(self.stream(member))
        if PREFIX + hashlib.sha256(data).hexdigest() != member.digest:
            raise InvalidInput(f"{self.path} was altered: {member.name}", hint=AGAIN)
        return data

    def stream(self, member: Member) -> Iterator[bytes]:
        """The bytes of a member in pieces, unchecked."""
        self._stream.seek(member.offset)
        left = member.size
        while left and (piece := self._stream.read(min(CHUNK, left))):
            left -= len(piece)
            yield piece

    def lines(self, folder: str) -> Iterator[Any]:
        """The rows in the members of a folder. Raises InvalidInput."""
        for name, member in self.members.items():
            if name.startswith(f"{folder}/"):
                try:
                    yield from map(json.loads, unpacked(self.read(member), name).splitlines())
                except ValueError as fault:
                    raise InvalidInput(f"{self.path} was altered: {name}", hint=AGAIN) from fault

    def blobs(self) -> dict[str, Member]:
        """The blobs in this file by digest."""
        return {one.digest: one for name, one in self.members.items() if name[:6] == "blobs/"}

    def _head(self) -> Head:
        header, data = self._stream.read(BLOCK), self._stream.read(8 * BLOCK)
        try:
            info = tarfile.TarInfo.frombuf(header, "utf-8", "strict")
            if info.name != HEAD:
                raise ValueError(info.name)
            value = json.loads(data[: info.size])
            if value["format"] > FORMAT:
                raise InvalidInput(
                    f"{self.path} was made by netboot {value['release']}, which is newer",
                    hint="Restore it with that release. Nothing was changed.",
                )
            return Head(**value)
        except (tarfile.TarError, ValueError, TypeError, KeyError) as fault:
            raise InvalidInput(
                f"{self.path} is not a backup of netboot", hint="Name a backup file."
            ) from fault

    def _read_seal(self) -> dict[str, Any]:
        size = os.fstat(self._stream.fileno()).st_size
        try:
            self._stream.seek(size - TAIL)
            header, text = self._stream.read(BLOCK), self._stream.read(BLOCK)
            if tarfile.TarInfo.frombuf(header, "utf-8", "strict").name == SEAL:
                seal = json.loads(text)
                if seal["size"] == size - TAIL and self._stream.read() == END:
                    return dict(seal)
        except (OSError, tarfile.TarError, ValueError, TypeError, KeyError):
            pass  # not where it must be: the same as without one
        raise InvalidInput(f"{self.path} is cut off: its end with the seal is missing", hint=AGAIN)

    def _contents(self) -> tuple[Contents, dict[str, Member]]:
        try:
            table = Member(CONTENTS, *self._seal["contents"])
            value = json.loads(unpacked(self.read(table), CONTENTS))
            members = {one.name: one for one in (Member(*each) for each in value.pop("members"))}
            bases = tuple(Base(**each) for each in value.pop("bases"))
            missing = tuple(value.pop("missing"))
            return Contents(**value, bases=bases, missing=missing), members
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as fault:
            raise InvalidInput(
                f"{self.path} was altered: its table of contents cannot be read", hint=AGAIN
            ) from fault

    def _tail(self) -> bytes:
        text = json.dumps(self._seal).encode().ljust(BLOCK)
        return _header(SEAL, BLOCK) + text + END

    def _first_altered(self) -> str:
        for member in self.members.values():
            sha = hashlib.sha256()
            for piece in self.stream(member):
                sha.update(piece)
            if PREFIX + sha.hexdigest() != member.digest:
                return member.name
        return "a header or the seal"


def packed(data: bytes) -> bytes:
    return gzip.compress(data, 3, mtime=0)


def unpacked(data: bytes, name: str) -> bytes:
    """What `packed` made. Raises InvalidInput."""
    reader = zlib.decompressobj(wbits=31)
    try:
        found = reader.decompress(data, LARGEST_PART)
    except zlib.error as fault:
        raise InvalidInput(f"{name} in the backup cannot be unpacked: {fault}") from fault
    if reader.unconsumed_tail or not reader.eof:
        raise InvalidInput(f"{name} in the backup is too large or cut off", hint=AGAIN)
    return found


def copy_blob(source: BackupFile, member: Member, target: Path) -> None:
    """Write the blob to a new file, not synced yet. Raises DigestMismatch, DiskFault."""
    sha = hashlib.sha256()
    try:
        with target.open("xb") as out:
            for piece in source.stream(member):
                sha.update(piece)
                out.write(piece)
            os.fchmod(out.fileno(), 0o444)
    except OSError as fault:
        raise _explained(fault, target) from fault
    if PREFIX + sha.hexdigest() != member.digest:
        raise DigestMismatch(f"{member.name} in {source.path} does not match its digest")


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info.tobuf(tarfile.GNU_FORMAT)  # the only one for members above 8 GiB in one header


def _padding(size: int) -> bytes:
    return bytes(-size % BLOCK)


def _values(member: Member) -> list[object]:
    return [member.name, member.offset, member.size, member.digest]


@contextmanager
def _readable(path: Path) -> Iterator[BinaryIO | None]:
    """The file, or None if it is gone or cannot be opened."""
    try:
        stream = path.open("rb")
    except OSError:
        yield None
        return
    with stream:
        yield stream


def _explained(fault: OSError, path: Path) -> Exception:
    return disk_fault(fault, path.parent) or NotPermitted(
        f"{path} cannot be written: {fault.strerror}", hint="Name another folder."
    )
