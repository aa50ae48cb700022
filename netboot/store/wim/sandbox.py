"""Runs the WIM worker in a process of its own, and reads its answer.

The worker is killed with its process group if it takes too long or `progress` raises, which is how
jobs are cancelled. If it ends without an answer, the file has crashed a C library.
"""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from netboot.errors import FormatError
from netboot.progress import ByteProgress, silent
from netboot.store.foreign.confinement import Limits

_POLL_SECONDS = 0.5
_LINE_LIMIT = 256 << 20
_MODULE = "netboot.store.wim.worker"


class WorkerRefused(FormatError):
    """The library refused the file with wimlib's `code` (0 from other readers), in a `stage`."""

    def __init__(self, message: str, *, code: int, stage: str) -> None:
        super().__init__(message)
        self.code = code
        self.stage = stage


class WorkerDied(FormatError):
    """The worker ended without an answer: a crash, a limit, or a timeout."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of the worker, and its active walls."""

    result: dict[str, Any]
    walls: tuple[str, ...]


class _Reporter:
    """Reports progress, and repeats the last report while the worker is silent.

    The repetition lets a cancelled job stop a silent worker.
    """

    def __init__(self, progress: ByteProgress) -> None:
        self._progress = progress
        self._last = ("start", 0, 1)

    def report(self, stage: str, done: int, total: int) -> None:
        self._last = (stage, done, total)
        self._progress(stage, done, total)

    def repeat(self) -> None:
        self._progress(*self._last)


def run(
    command: str,
    request: dict[str, Any],
    *,
    wim: Path,
    workdir: Path,
    limits: Limits | None = None,
    progress: ByteProgress = silent,
) -> Answer:
    """Run `command` on `wim` in a worker, which can write only below `workdir`.

    Raises WorkerRefused, WorkerDied, and what `progress` raises.
    """
    limits = limits or Limits()
    full = {
        **request,
        "command": command,
        "wim": str(wim.absolute()),
        "workdir": str(workdir.absolute()),
        "limits": asdict(limits),
    }
    stderr_path = workdir / "worker-stderr.txt"
    with stderr_path.open("wb") as stderr, _started(stderr) as process:
        reporter = _Reporter(progress)
        until = time.monotonic() + limits.seconds
        lines = _lines(process, json.dumps(full).encode(), until, reporter.repeat)
        answer = _judge(lines, reporter.report)
        if isinstance(answer, Answer):
            return answer
        if isinstance(answer, WorkerRefused):
            raise answer
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_POLL_SECONDS)
    tail = stderr_path.read_text("utf-8", "replace").strip().splitlines()[-1:]
    raise WorkerDied(_death(process.returncode, tail))


@contextlib.contextmanager
def _started(stderr: Any) -> Iterator["subprocess.Popen[bytes]"]:
    """The process of the worker, in its own session; always killed at the end."""
    root = Path(__file__).parents[3]
    process = subprocess.Popen(
        [sys.executable, "-s", "-P", "-m", _MODULE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        env={"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        start_new_session=True,
        close_fds=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


def _lines(
    process: "subprocess.Popen[bytes]", request: bytes, until: float, wait: Callable[[], None]
) -> Iterator[dict[str, Any]]:
    """The lines of the worker as they arrive. Raises WorkerDied after `until`."""
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(request)
        process.stdin.close()
    process.stdin = None
    fd = process.stdout.fileno()
    pending = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(fd, selectors.EVENT_READ)
        while True:
            if time.monotonic() > until:
                raise WorkerDied("reading this file took too long")
            if not selector.select(_POLL_SECONDS):
                wait()
                continue
            chunk = os.read(fd, 1 << 16)
            if not chunk:
                return
            pending += chunk
            if len(pending) > _LINE_LIMIT:
                raise WorkerDied("the reader produced too much output")
            if b"\n" in chunk:
                *complete, rest = bytes(pending).split(b"\n")
                pending = bytearray(rest)
                yield from (_line(line) for line in complete)


def _line(line: bytes) -> dict[str, Any]:
    """One line of JSON, from a worker that the file may have taken over."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise WorkerDied("the reader returned an invalid answer") from error
    return found if isinstance(found, dict) else {}


def _judge(
    lines: Iterator[dict[str, Any]], progress: ByteProgress
) -> Answer | WorkerRefused | None:
    """Read the lines up to the answer; None if there is none."""
    walls: tuple[str, ...] = ()
    for line in lines:
        match line:
            case {"progress": [str(stage), int(done), int(total)]}:
                progress(stage, done, total)
            case {"walls": list(names)}:
                walls = tuple(names)
            case {"result": dict(result)}:
                return Answer(result, walls)
            case {"refused": {"code": int(code), "message": str(message), "stage": str(stage)}}:
                return WorkerRefused(message, code=code, stage=stage)
    return None


def _death(code: int, tail: list[str]) -> str:
    if code < 0:
        return f"the reader crashed on this file ({signal.Signals(-code).name})"
    return f"the reader failed on this file: {tail[0][:300] if tail else f'exit code {code}'}"
