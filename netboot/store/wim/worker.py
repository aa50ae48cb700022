"""The process that opens untrusted WIMs: one request on stdin, JSON lines on stdout.

It confines itself before it opens the file of the request. It writes `{"walls": […]}` once,
`{"progress": [stage, done, total]}` often, and at the end `{"result": …}` or
`{"refused": {"code", "message", "stage"}}`. `sandbox` handles everything else (signals, silence).

Run by: python -m netboot.store.wim.worker
"""

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from netboot.errors import FormatError
from netboot.formats.wim.names import hostile_names
from netboot.images.servicing.boot_layout import HIVE_FOLDER, HIVES, is_collected, is_inbox_inf
from netboot.store.foreign import confinement
from netboot.store.wim import hives
from netboot.store.wim.wimlib import Change, Entry, Library, Wim, WimlibError, self_test

COLLECT_FILES = 5000
COLLECT_BYTES = 512 << 20
ENTRY_LIMIT = 500_000
WRITE_FAILED = 72
"""wimlib's error code for a failed write."""

_PROGRESS_SECONDS = 0.1

_SOFTWARE = "Microsoft\\Windows NT\\CurrentVersion"


class Worker:
    """One request, with its folder and libraries."""

    def __init__(self, request: dict[str, Any]) -> None:
        self.request = request
        self.workdir = Path(request["workdir"])
        self.wim_path = Path(request["wim"])
        self.stage = "open"
        self.library = Library(self.workdir / "wimlib-messages.txt")
        self.hives = hives.Library()
        self._reported = 0.0

    def send(self, line: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()

    def progress(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if done >= total or now - self._reported >= _PROGRESS_SECONDS:
            self._reported = now
            self.send({"progress": [stage, done, total]})

    def open(self, *, write: bool = False) -> Wim:
        return Wim(self.library, self.wim_path, write=write, progress=self.progress)

    def confine(self) -> None:
        """Enter the walls: from here on, only the files of the request can be opened."""
        root = Path(__file__).parents[3]
        python = [Path(sys.prefix), Path(sys.base_prefix)]
        walls = confinement.enter(
            confinement.Limits(**self.request["limits"]),
            readable=[Path("/usr"), *python, root / "netboot", self.wim_path],
            writable=[self.workdir, Path("/dev/null")],
        )
        self.send({"walls": walls})


def examine(worker: Worker) -> dict[str, Any]:
    """Check every name and hash, then extract the files that describe the image."""
    index = int(worker.request["index"])
    folder = worker.workdir / "files"
    folder.mkdir()
    with worker.open() as wim:
        worker.stage = "names"
        hostile, entries = _walk(wim, index)
        if hostile or worker.library.warnings():
            return {"hostile": hostile, "warnings": worker.library.warnings()}
        worker.stage = "verify"
        wim.verify()
        warnings = worker.library.warnings()
        worker.stage = "extract"
        collected = _collected(entries)
        wim.extract(index, [entry.path for entry in collected], folder)
        boot_index = wim.boot_index
    return {
        "hostile": [],
        "warnings": warnings,
        "boot_index": boot_index,
        "entries": [
            [entry.path, entry.size, entry.sha1, int(entry.is_plain_file)] for entry in entries
        ],
        "collected": [entry.path for entry in collected],
        "hives": _read_hives(worker.hives, entries, folder),
    }


def _walk(wim: Wim, index: int) -> tuple[list[str], list[Entry]]:
    """Hostile names in all images, and the files and folders of the requested one."""
    hostile: list[str] = []
    chosen: list[Entry] = []
    for number in range(1, wim.image_count + 1):
        entries = wim.walk(number)
        if len(entries) > ENTRY_LIMIT:
            hostile.append(f"image {number} contains {len(entries)} files and folders")
        hostile += hostile_names((entry.path, entry.name) for entry in entries)
        if number == index:
            chosen = entries
    return hostile, chosen


def _collected(entries: list[Entry]) -> list[Entry]:
    """The files to extract, within limits."""
    chosen: list[Entry] = []
    room = COLLECT_BYTES
    # There may be a thousand INFs: boot files and hives come before them.
    for entry in sorted(entries, key=lambda entry: is_inbox_inf(entry.path)):
        if entry.is_plain_file and is_collected(entry.path, entry.size) and entry.size <= room:
            chosen.append(entry)
            room -= entry.size
            if len(chosen) >= COLLECT_FILES:
                break
    return chosen


def _read_hives(library: hives.Library, entries: list[Entry], folder: Path) -> dict[str, Any]:
    """The hives that can be opened, with what they contain about Windows."""
    found: dict[str, Any] = {}
    for entry in entries:
        above, _, name = entry.path.rpartition("/")
        if above.lower() != HIVE_FOLDER or name.upper() not in HIVES:
            continue
        try:
            with hives.Hive(library, folder / entry.path.lstrip("/")) as hive:
                found[name.upper()] = {
                    "build": hive.text(_SOFTWARE, "CurrentBuild"),
                    "revision": hive.number(_SOFTWARE, "UBR"),
                    "edition": hive.text(_SOFTWARE, "EditionID"),
                }
        except FormatError as error:
            found[name.upper()] = {"fault": str(error)}
    return found


def build(worker: Worker) -> dict[str, Any]:
    """Change the copy, write it, then open it again and compare it with the request."""
    request = worker.request
    index, at = int(request["index"]), int(request["at"])
    with worker.open(write=True) as wim:
        worker.stage = "change"
        hive_changes = _edited_hives(worker, wim, index, at)
        removals = [Change(target) for target in request["removed"]]
        wim.update(index, [*removals, Change("/", Path(request["tree"])), *hive_changes])
        wim.set_boot_index(int(request["boot_index"]))
        worker.stage = "write"
        wim.overwrite()
    # wimlib_overwrite sets LASTMODIFICATIONTIME to the current time, so it is corrected in a second
    # run: without it, two builds of one recipe would differ in six bytes.
    with worker.open(write=True) as wim:
        for part, value in (("HIGHPART", request["high"]), ("LOWPART", request["low"])):
            wim.set_property(index, f"LASTMODIFICATIONTIME/{part}", value)
        wim.overwrite()
    worker.stage = "check"
    return _checked(worker, index)


def verify(worker: Worker) -> dict[str, Any]:
    worker.stage = "verify"
    with worker.open() as wim:
        wim.verify()
    return {"warnings": worker.library.warnings()}


def _edited_hives(worker: Worker, wim: Wim, index: int, at: int) -> list[Change]:
    """Extract each hive, set its values, and put it back with the build's time."""
    wanted = worker.request["registry"]
    if not wanted:
        return []
    folder = worker.workdir / "hives"
    folder.mkdir()
    names = {value["hive"].lower() for value in wanted}
    found = {
        name.lower(): entry.path
        for entry in wim.walk(index, HIVE_FOLDER)
        if (name := entry.path.rpartition("/")[2]).lower() in names
    }
    wim.extract(index, sorted(found.values()), folder)
    changes = []
    for name, path in sorted(found.items()):
        file = folder / path.lstrip("/")
        with hives.Hive(worker.hives, file, write=True) as hive:
            for value in (value for value in wanted if value["hive"].lower() == name):
                hive.set(value["key"], value["name"], value["type"], bytes.fromhex(value["data"]))
            hive.commit()
        content = file.read_bytes()
        os.utime(file, (at, at))
        sha1 = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        worker.request["expected"][path] = [len(content), sha1]
        changes.append(Change(path, file))
    return changes


def _checked(worker: Worker, index: int) -> dict[str, Any]:
    """Read the written file back: the boot index, and the content of each added file.

    The parent compares the rest with the source, byte by byte.
    """
    request = worker.request
    folder, scratch = worker.workdir / "files", worker.workdir / "read-back"
    folder.mkdir()
    scratch.mkdir()
    faults: list[str] = []
    with worker.open() as wim:
        added = []
        for path, (size, sha1) in request["expected"].items():
            entry = wim.entry(index, path)
            if entry is None or (entry.size, entry.sha1) != (size, sha1):
                faults.append(f"{path} is missing or wrong in the image")
            else:
                added.append(entry.path)
        if wim.boot_index != request["boot_index"]:
            faults.append(f"the boot index is {wim.boot_index}")
        wim.extract(index, added, scratch)  # compares each with its hash
        present = [path for path in request["extract"] if wim.entry(index, path)]
        wim.extract(index, present, folder)
        files = _files_in(wim, index)
    return {
        "faults": faults,
        "warnings": worker.library.warnings(),
        "extracted": present,
        "files": files,
    }


def take(worker: Worker) -> dict[str, Any]:
    """Extract those of the requested files that the image has."""
    index, folder = int(worker.request["index"]), worker.workdir / "files"
    folder.mkdir()
    worker.stage = "extract"
    with worker.open() as wim:
        found = [wim.entry(index, path) for path in worker.request["paths"]]
        paths = [entry.path for entry in found if entry is not None and entry.is_plain_file]
        wim.extract(index, paths, folder)
    return {"extracted": paths}


def list_files(worker: Worker) -> dict[str, Any]:
    with worker.open() as wim:
        return {"files": _files_in(wim, int(worker.request["index"]))}


def _files_in(wim: Wim, index: int) -> dict[str, str]:
    """SHA-1 by path."""
    return {entry.path: entry.sha1 for entry in wim.walk(index) if not entry.is_folder}


COMMANDS: dict[str, Callable[[Worker], dict[str, Any]]] = {
    "examine": examine,
    "build": build,
    "list": list_files,
    "take": take,
    "verify": verify,
}


def main() -> None:
    worker = Worker(json.load(sys.stdin))
    command = COMMANDS[worker.request["command"]]
    worker.confine()
    try:
        self_test(worker.library, worker.workdir)
        result = command(worker)
    except WimlibError as error:
        refusal = {"code": error.code, "message": str(error), "stage": worker.stage}
        worker.send({"refused": {**refusal, "warnings": worker.library.warnings()}})
    except FormatError as error:
        worker.send({"refused": {"code": 0, "message": str(error), "stage": worker.stage}})
    except OSError as error:  # our own scratch folder: a full disk, a limit
        worker.send({"refused": {"code": WRITE_FAILED, "message": str(error), "stage": "write"}})
    else:
        worker.send({"result": result})


if __name__ == "__main__":
    main()
