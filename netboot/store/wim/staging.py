"""What a plan adds to an image, laid out as one tree that is put over the image's own.

Content is copied from blobs and hashed on the way: what goes into an image was checked today.
Texts that people write are searched for secrets as they pass, as on import.
"""

import hashlib
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from netboot.errors import BlobMissing, DigestMismatch
from netboot.formats.wim.xml import filetime_halves
from netboot.images.boot_image.description import ImageFacts
from netboot.images.boot_image.properties import check_image_path
from netboot.images.boot_image.secrets import SCAN_LIMIT, SecretFinding, is_scanned, scan_file
from netboot.images.servicing.plan import (
    AddFile,
    AddTree,
    Plan,
    RemoveTree,
    SetBootIndex,
    SetRegistry,
    WriteFile,
)

Locate = Callable[[str], Path]
"""Where the content with this digest lies; raises BlobMissing."""

_CHUNK = 1 << 18


class Staging:
    """Everything that is added, as one tree that is laid over the image.

    Folders and files bear the plan's time: wimlib stores both their times of change and of
    last access, so nothing may look into the tree between `stamp` and the update.
    """

    def __init__(self, folder: Path, at: int, locate: Locate) -> None:
        self.folder = folder
        self.expected: dict[str, list[Any]] = {}
        self.secrets: list[SecretFinding] = []
        self._at = at
        self._locate = locate
        folder.mkdir()

    def write(self, target: str, data: bytes) -> None:
        """A file of these bytes."""
        file = self._place(target)
        file.write_bytes(data)
        self._note(target, file, len(data), sha1_of(data))

    def add(self, target: str, digest: str) -> None:
        """Copy a blob, hashing it on the way: what goes into an image was checked today."""
        sha256, sha1, size = hashlib.sha256(), _new_sha1(), 0
        file = self._place(target)
        try:
            blob = self._locate(digest).open("rb", buffering=0)
        except FileNotFoundError as fault:
            raise BlobMissing(f"blob {digest} is missing, so {target} cannot be added") from fault
        with blob, file.open("xb", buffering=0) as out:
            for chunk in chunks(blob):
                sha256.update(chunk)
                sha1.update(chunk)
                out.write(chunk)
                size += len(chunk)
        if f"sha256:{sha256.hexdigest()}" != digest:
            raise DigestMismatch(f"blob {digest} is damaged, so {target} cannot be added")
        self._note(target, file, size, sha1.hexdigest() if size else "")

    def stamp(self) -> None:
        """Give everything the plan's time, from the bottom up."""
        for below, _folders, files in os.walk(self.folder, topdown=False):
            for name in files:
                file = Path(below, name)
                file.chmod(0o644)
                os.utime(file, (self._at, self._at))
            os.utime(below, (self._at, self._at))

    def _note(self, target: str, file: Path, size: int, sha1: str) -> None:
        """Remember what must be found when the image is read back, and look for secrets."""
        self.expected[target] = [size, sha1]
        if is_scanned(target) and size <= SCAN_LIMIT:
            self.secrets += scan_file(target, file.read_bytes())

    def _place(self, target: str) -> Path:
        """Where the file for `target` is staged; plans hold only paths that were checked."""
        check_image_path(target)
        file = self.folder / target.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        return file


def request_of(plan: Plan, facts: ImageFacts, staging: Staging) -> dict[str, Any]:
    """The plan as the worker understands it: paths of staged files and values of hives."""
    removed: list[str] = []
    registry: list[dict[str, Any]] = []
    boot_index = facts.boot_index
    for step in plan.steps:
        match step:
            case AddTree(target, files):
                for file in files:
                    staging.add(f"{target}/{file.path}", file.digest)
            case AddFile(target, digest, _size):
                staging.add(target, digest)
            case WriteFile(target, data):
                staging.write(target, data)
            case RemoveTree(target):
                removed.append(target)
            case SetRegistry(hive, key, name, kind, data):
                value = {"key": key, "name": name, "type": kind, "data": data.hex()}
                registry.append({"hive": hive, **value})
            case SetBootIndex(index):
                boot_index = index
    staging.stamp()
    high, low = filetime_halves(plan.at)
    return {
        "index": plan.index,
        "at": plan.at,
        "high": high,
        "low": low,
        "boot_index": boot_index,
        "removed": removed,
        "tree": str(staging.folder),
        "registry": registry,
        "expected": staging.expected,
        "extract": [file.path for file in facts.boot_files],
    }


def chunks(stream: io.RawIOBase) -> Iterator[memoryview]:
    """What is left in a stream, each piece in the same memory: four times as fast as new ones."""
    buffer = bytearray(_CHUNK)
    view = memoryview(buffer)
    while count := stream.readinto(buffer):
        yield view[:count]


def _new_sha1() -> "hashlib._Hash":
    return hashlib.sha1(usedforsecurity=False)


def sha1_of(data: bytes) -> str:
    """SHA-1 as wimlib lists it: nothing for an empty file."""
    sha1 = _new_sha1()
    sha1.update(data)
    return sha1.hexdigest() if data else ""
