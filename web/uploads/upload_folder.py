"""The folder for uploads in the data folder, until a job takes them.

uploads/<batch>/batch.json      the owner, and the job that took the batch
uploads/<batch>/parts/<part>    the bytes received so far; <part>.json has the declared length
uploads/<batch>/files/…         complete files, under their original names

A batch is one file, or a folder of files. The progress of a part is the size of its file and
nothing else, so it is right even after a crash. A lock on the part refuses a second writer.
"""

import contextlib
import fcntl
import io
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import IO, Any

from netboot.errors import DiskFault, InvalidInput, NotFound, OperatorFault
from netboot.operations import jobs
from netboot.site import Site
from netboot.store.content.disk_faults import disk_fault, explain_disk_fault
from netboot.store.foreign import archives

LIFE_SECONDS = 24 * 60 * 60
SPARE_BYTES = 256 << 20
CHUNK = 1 << 20
PARTS_PER_BATCH = 5000
BATCHES = 64
DEEPEST = 16
LONGEST_PATH = 1000
_ID = re.compile(r"[0-9a-f]{32}")
_PART_ID = re.compile(r"([0-9a-f]{32})-([0-9a-f]{32})")
_NAMED_ARCHIVE = re.compile(r".*\.(zip|cab|7z|exe)", re.IGNORECASE)
_ARCHIVES = frozenset({"zip", "cab", "7z"})


class Busy(OperatorFault):
    """Another request is writing to the same upload."""


class WrongOffset(OperatorFault):
    """The bytes do not begin where the upload stopped."""


@dataclass(frozen=True, slots=True)
class Upload:
    """An unfinished file: `offset` bytes of `length` were received."""

    id: str
    batch: str
    relative_path: str
    length: int
    offset: int
    changed_at: float

    @property
    def expires_http(self) -> str:
        """When the upload expires if nothing more arrives (RFC 9110 §5.6.7)."""
        return formatdate(self.changed_at + LIFE_SECONDS, usegmt=True)


@dataclass(frozen=True, slots=True)
class Batch:
    """A complete upload, ready for a job: `path` is a file or a folder."""

    id: str
    path: Path
    label: str


def check_path(path: str) -> tuple[str, ...]:
    """A relative path as parts that are safe to join. Raises InvalidInput."""
    parts = tuple(path.replace("\\", "/").split("/"))
    wrong = (
        not path
        or len(path) > LONGEST_PATH
        or len(parts) > DEEPEST
        or not path.isprintable()
        or any(part in {"", ".", ".."} or len(part.encode()) > 255 for part in parts)
    )
    if wrong:
        raise InvalidInput(f"the file name {path[:80]!r} is not valid")
    return parts


class Shelf:
    """The uploads of a site."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.folder = site.data / "uploads"
        self.folder.mkdir(mode=0o700, exist_ok=True)

    def create(
        self, *, owner: int, length: int, name: str, batch: str = "", relative_path: str = ""
    ) -> Upload:
        """Begin an upload, alone or in a batch. Raises InvalidInput or OperatorFault."""
        path = "/".join(check_path(relative_path or Path(name.replace("\\", "/")).name))
        if batch and not _ID.fullmatch(batch):
            raise InvalidInput("the batch name is not valid")
        self.sweep(time.time())
        if shutil.disk_usage(self.folder).free < length + SPARE_BYTES:
            raise DiskFault(
                f"not enough space for {length} bytes in the data folder",
                hint="Free some disk space and try again.",
            )
        batch = batch or uuid.uuid4().hex
        try:
            with self._turn():  # a browser begins several files at once, at any process
                place = self._open_batch(batch, owner, path)
                if sum(1 for _ in (place / "parts").iterdir()) > 2 * PARTS_PER_BATCH:
                    raise OperatorFault(
                        "too many files in one upload", hint="Upload a ZIP instead."
                    )
                part = _begin_part(place, path, length)
        except (OSError, DiskFault) as fault:
            self._forget_if_empty(batch)
            raise disk_fault(fault, self.folder) or fault from None
        return self.find(f"{batch}-{part}", owner=owner)

    def find(self, upload_id: str, *, owner: int) -> Upload:
        """An upload of this owner. Raises NotFound."""
        named = _PART_ID.fullmatch(upload_id)
        if named:
            place = self.folder / named[1]
            about = _read_json(place / "parts" / f"{named[2]}.json")
            if about and _read_json(place / "batch.json").get("owner") == owner:
                return _upload(place, named[2], about)
        raise NotFound("upload not found", hint="It may be complete or expired.")

    def append(self, upload: Upload, offset: int, stream: IO[bytes]) -> Upload:
        """Write `stream` at `offset`. Bytes received before a lost connection are kept.

        Raises DiskFault if the disk is full or fails; then the upload is as long as before.
        """
        place, part = self._place(upload)
        # Not buffered: what a full disk refused must not be written again when the file is closed.
        with (place / "parts" / part).open("r+b", buffering=0) as out:
            try:
                fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Busy("another request is writing to this upload") from None
            reached = out.seek(0, os.SEEK_END)
            if reached != offset:
                raise WrongOffset(f"the upload continues at byte {reached}, not {offset}")
            try:
                _copy(stream, out, upload.length - offset)
                if out.tell() == upload.length:
                    os.fsync(out.fileno())
                now = _upload(place, part, {"path": upload.relative_path, "length": upload.length})
                if now.offset == now.length:
                    self._finish(place, part, now)
            except OSError as fault:
                explained = disk_fault(fault, self.folder)
                if explained is None:
                    raise  # the connection was lost
                self._take_back(place / "parts" / part, offset)
                raise explained from fault
        return now

    def discard(self, upload: Upload) -> None:
        place, part = self._place(upload)
        (place / "parts" / f"{part}.json").unlink(missing_ok=True)
        (place / "parts" / part).unlink(missing_ok=True)
        self._forget_if_empty(upload.batch)

    def batch(self, batch: str, *, owner: int) -> Batch:
        """All files of a batch. Raises InvalidInput if something is missing."""
        place = self.folder / batch
        about = _read_json(place / "batch.json") if _ID.fullmatch(batch) else {}
        own = about.get("owner") == owner
        if own and any((place / "parts").iterdir()):
            raise InvalidInput(
                "the upload is not finished", hint="Wait until all files are uploaded."
            )
        files = [path for path in (place / "files").rglob("*") if path.is_file()] if own else []
        if not files:
            raise InvalidInput(
                "no file was uploaded", hint="Choose a file and wait until it is uploaded."
            )
        path = files[0] if len(files) == 1 and _is_single(files[0]) else place / "files"
        return Batch(batch, path, str(about["label"]))

    def file(self, batch: str, *, owner: int) -> Batch:
        """The one file of a batch. Raises InvalidInput."""
        found = self.batch(batch, owner=owner)
        files = [path for path in (self.folder / batch / "files").rglob("*") if path.is_file()]
        if len(files) != 1:
            raise InvalidInput("choose exactly one file")
        return Batch(batch, files[0], found.label)

    def hand_over(self, batch: Batch, job_id: int) -> None:
        """Record which job works on the batch, so that it is kept until the job ends."""
        place = self.folder / batch.id
        _write_json(place / "batch.json", {**_read_json(place / "batch.json"), "job": job_id})

    def forget(self, batch: Batch) -> None:
        shutil.rmtree(self.folder / batch.id, ignore_errors=True)

    def sweep(self, now: float) -> None:
        """Delete abandoned batches, and those that a finished job has taken."""
        for place in self.folder.iterdir():
            about = _read_json(place / "batch.json")
            if "job" in about:
                over = self._job_is_over(about["job"], now)
            else:
                over = now - _changed_at(place) > LIFE_SECONDS
            if over:
                shutil.rmtree(place, ignore_errors=True)

    def _job_is_over(self, job_id: int, now: float) -> bool:
        """Whether the job needs its files no more: a failed one may be retried for a day."""
        try:
            job = jobs.get_job(self._site, job_id)
        except NotFound:
            return True
        kept = job.state == "failed" and not job.dismissed
        return job.finished and not (kept and now - (job.finished_at or 0.0) < LIFE_SECONDS)

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """Be the only one who opens a batch, among the threads of all processes."""
        opened = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(opened, fcntl.LOCK_EX)
            yield
        finally:
            os.close(opened)

    def _open_batch(self, batch: str, owner: int, path: str) -> Path:
        place = self.folder / batch
        if not place.exists():
            if sum(1 for _ in self.folder.iterdir()) >= BATCHES:
                raise OperatorFault(
                    "too many unfinished uploads", hint="Finish or cancel some of them first."
                )
            for folder in (place, place / "parts", place / "files"):
                folder.mkdir(mode=0o700, exist_ok=True)
            label = path.split("/", maxsplit=1)[0]
            _write_json(place / "batch.json", {"owner": owner, "label": label})
        about = _read_json(place / "batch.json")
        if about.get("owner") != owner or "job" in about:
            raise InvalidInput("the batch belongs to another user or is closed")
        return place

    def _place(self, upload: Upload) -> tuple[Path, str]:
        return self.folder / upload.batch, upload.id.partition("-")[2]

    def _take_back(self, part: Path, offset: int) -> None:
        """Free what a full disk took of a piece; the same piece may be sent again."""
        with contextlib.suppress(OSError):  # a disk that fails keeps it until the sweep
            os.truncate(part, offset)

    def _forget_if_empty(self, batch: str) -> None:
        """Delete a batch in which nothing lies or arrives."""
        place = self.folder / batch
        with self._turn():
            kept = [path for path in place.rglob("*") if path.is_file()]
            if [path.name for path in kept] in ([], ["batch.json"]):
                shutil.rmtree(place, ignore_errors=True)

    def _finish(self, place: Path, part: str, upload: Upload) -> None:
        target = place / "files" / upload.relative_path
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        (place / "parts" / part).rename(target)
        (place / "parts" / f"{part}.json").unlink()


def _begin_part(place: Path, path: str, length: int) -> str:
    """An empty part with its declared length; returns its name. Raises OSError, DiskFault."""
    part = uuid.uuid4().hex
    about = place / "parts" / f"{part}.json"
    _write_json(about, {"path": path, "length": length})
    try:
        # The folder keeps others out. The tools that open foreign files run as nobody and get the
        # file itself, so its own mode must allow them, else it is copied first.
        (place / "parts" / part).touch(mode=0o644, exist_ok=False)
    except OSError:
        about.unlink(missing_ok=True)
        raise
    return part


def _is_single(path: Path) -> bool:
    """Whether a lone file is passed on itself (an archive), not its folder.

    By its name, or by its first bytes, since a download may have any name.
    """
    if path.parent.name != "files":
        return False
    return _NAMED_ARCHIVE.fullmatch(path.name) is not None or archives.kind(path) in _ARCHIVES


def _upload(place: Path, part: str, about: dict[str, Any]) -> Upload:
    path = place / "parts" / part
    try:
        facts = path.stat()
    except FileNotFoundError:
        raise NotFound("upload not found") from None
    return Upload(
        id=f"{place.name}-{part}",
        batch=place.name,
        relative_path=about["path"],
        length=about["length"],
        offset=facts.st_size,
        changed_at=facts.st_mtime,
    )


def _changed_at(place: Path) -> float:
    """When the batch last received data."""
    newest = 0.0
    for path in (place, place / "parts", place / "files", *(place / "parts").glob("*")):
        with contextlib.suppress(FileNotFoundError):  # another request has just completed it
            newest = max(newest, path.stat().st_mtime)
    return newest


def _copy(stream: IO[bytes], out: io.FileIO, most: int) -> None:
    while chunk := stream.read(CHUNK):
        if len(chunk) > most:
            raise InvalidInput("the upload is larger than its declared length")
        most -= len(chunk)
        rest = memoryview(chunk)
        while rest:  # an almost full disk takes a part
            rest = rest[out.write(rest) :]


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}
    return found


def _write_json(path: Path, value: dict[str, Any]) -> None:
    """All or nothing: a crash leaves the old text."""
    draft = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    try:
        draft.write_text(json.dumps(value))
        draft.rename(path)
    except OSError as fault:
        draft.unlink(missing_ok=True)
        raise explain_disk_fault(fault, path.parent) from fault
