"""The site's processes: which run, which are restarted, and what troubles them.

They share a board in memory (memfd_create(2)) that the supervisor makes and its children inherit:
it works without disk and database, and ends with the site.
"""

import functools
import json
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAMES = ("boot services", "boot files over HTTP", "lab", "page", "projector", "worker")
BOARD = "NETBOOT_BOARD"
"""The variable with the descriptor of the board, or with its path where services share it."""

MOST_PARTS = 20
"""Processes of one name that report, such as the TFTP processes of the boot services."""

_SLOT = 2048
_SLOTS_OF_NAME = 1 + MOST_PARTS
_TEXT = 400
RECENT_SECONDS = 600.0
"""A restart is worth a line on the page for so long."""


@dataclass(frozen=True, slots=True)
class ProcessState:
    """One process of the site.

    `ended` counts unexpected ends since the site started; `reason` and `ended_at` (epoch seconds)
    are of the last one. `trouble` is why it cannot do its work now, although it runs; `note` is
    what it works without. `lost` counts boot events that could not be written.
    """

    name: str
    running: bool
    ended: int = 0
    reason: str = ""
    ended_at: float = 0.0
    next_start: float = 0.0
    trouble: str = ""
    lost: int = 0
    note: str = ""


class Board:
    """The shared memory: a slot for each name, which the supervisor writes, and one for each part.

    Services that no supervisor started share a file instead, in a folder that a restart of the
    machine empties. A slot is written in one call and padded, so a reader sees a whole record or,
    very rarely, a torn one, which it takes for an empty one.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd

    @staticmethod
    def create() -> "Board":
        fd = os.memfd_create("netboot-processes")
        os.ftruncate(fd, _SLOT * _SLOTS_OF_NAME * len(NAMES))
        return Board(fd)

    @staticmethod
    def inherited() -> "Board | None":
        """The board of the site that this process belongs to, or None without one."""
        fd = os.environ.get(BOARD, "")
        if fd.startswith("/"):
            return _shared(Path(fd))
        try:
            # The number may be another file's where a program in between closed the descriptor.
            name = Path(f"/proc/self/fd/{int(fd)}").readlink().name
        except (ValueError, OSError):
            return None
        return Board(int(fd)) if "netboot-processes" in name else None

    def noted(self, name: str) -> dict[str, Any]:
        """What is known of a process; empty if nothing is."""
        return self._read(name, 0)

    def note(self, name: str, record: Mapping[str, Any]) -> None:
        """What the supervisor knows of a process."""
        self._write(name, 0, record)

    def report(self, name: str, part: int, record: Mapping[str, Any]) -> None:
        """What a process says of itself."""
        self._write(name, 1 + part, record)

    def forget_reports(self, name: str) -> int:
        """Empty the slots of a process that has ended; returns how many events it had lost."""
        lost = sum(int(report.get("lost", 0)) for report in self._reports(name))
        for part in range(MOST_PARTS):
            self._write(name, 1 + part, {})
        return lost

    def is_ready(self, name: str) -> bool:
        """Whether the process has said that it does its work."""
        return any(report.get("ready") for report in self._reports(name))

    def states(self) -> tuple[ProcessState, ...]:
        """The processes that this site has, in the order of NAMES."""
        return tuple(self._state(name, noted) for name in NAMES if (noted := self._read(name, 0)))

    def _state(self, name: str, noted: dict[str, Any]) -> ProcessState:
        reports = self._reports(name)
        pid = int(noted.pop("pid", 0))
        if pid and not _is_alive(pid):
            noted |= {"running": False, "reason": "unexpectedly"}
        lost = int(noted.pop("lost", 0)) + sum(int(one.get("lost", 0)) for one in reports)
        troubles = dict.fromkeys(str(one["trouble"]) for one in reports if one.get("trouble"))
        notes = dict.fromkeys(str(one["note"]) for one in reports if one.get("note"))
        trouble, note = "; ".join(troubles), "; ".join(notes)
        return ProcessState(name, **noted, trouble=trouble, note=note, lost=lost)

    def _reports(self, name: str) -> list[dict[str, Any]]:
        return [self._read(name, 1 + part) for part in range(MOST_PARTS)]

    def _write(self, name: str, slot: int, record: Mapping[str, Any]) -> None:
        if name in NAMES:  # a test's supervisor has others
            shortened = {k: v[:_TEXT] if isinstance(v, str) else v for k, v in record.items()}
            text = json.dumps(shortened, ensure_ascii=False) if record else ""
            data = text.encode("utf-8", "replace")
            os.pwrite(self.fd, data[:_SLOT].ljust(_SLOT, b"\0"), self._place(name, slot))

    def _read(self, name: str, slot: int) -> dict[str, Any]:
        data = os.pread(self.fd, _SLOT, self._place(name, slot)).rstrip(b"\0")
        try:
            return dict(json.loads(data)) if data else {}
        except ValueError:
            return {}

    def _place(self, name: str, slot: int) -> int:
        return _SLOT * (NAMES.index(name) * _SLOTS_OF_NAME + slot)


@functools.lru_cache(maxsize=4)
def _shared(path: Path) -> Board | None:
    """The board in this file, made if it is not there; None if that is not possible."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.ftruncate(fd, _SLOT * _SLOTS_OF_NAME * len(NAMES))
    except OSError:
        return None  # pages then know nothing of the other processes
    return Board(fd)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class OwnReport:
    """What this process says of itself; without a board it is lost. Any thread may report."""

    def __init__(self, name: str, part: int = 0) -> None:
        self._board = Board.inherited()
        self._name, self._part = name, part % MOST_PARTS
        self._lock = threading.Lock()
        self._troubles: dict[str, str] = {}
        self._said: dict[str, Any] = {}

    def ready(self) -> None:
        """The process does its work now."""
        self._say(ready=True)

    def trouble(self, what: str, text: str) -> None:
        """Why a part of the process cannot work now; empty when it works again."""
        with self._lock:
            self._troubles[what] = text
            troubles = dict.fromkeys(text for text in self._troubles.values() if text)
        self._say(trouble="; ".join(troubles))

    def note(self, text: str) -> None:
        """What the process works without, as the end of a sentence about it."""
        self._say(note=text)

    def lost(self, count: int) -> None:
        """How many boot events this process could not write."""
        self._say(lost=count)

    def _say(self, **said: Any) -> None:
        with self._lock:
            if self._board is not None and any(self._said.get(k) != v for k, v in said.items()):
                self._said |= said
                self._board.report(self._name, self._part, self._said)


def list_states() -> tuple[ProcessState, ...]:
    """The processes of the site that this process belongs to; empty outside of `netboot run`."""
    board = Board.inherited()
    return board.states() if board is not None else ()


def problems(states: tuple[ProcessState, ...], *, now: float | None = None) -> dict[str, str]:
    """For each process that has a problem, what it is; completes the sentence of its name."""
    now = time.time() if now is None else now
    found = {}
    for state in states:
        if not state.running and not state.reason:  # a service manager stopped it
            found[state.name] = "is stopped"
        elif not state.running:
            seconds = max(0, round(state.next_start - now))
            found[state.name] = f"ended {state.reason}; it starts again in {seconds} s"
        elif state.trouble:
            found[state.name] = f"cannot do its work and tries again: {state.trouble}"
        elif state.note:
            found[state.name] = state.note
        elif state.ended and now - state.ended_at < RECENT_SECONDS:
            times = "once" if state.ended == 1 else f"{state.ended} times"
            found[state.name] = f"ended {state.reason} and was started again ({times} so far)"
    return found
