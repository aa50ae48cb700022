"""The sandbox: answers, refusals and deaths of the worker; limits and cancelling end it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from netboot.store.foreign.confinement import Limits
from netboot.store.wim import sandbox
from netboot.store.wim.sandbox import WorkerDied, WorkerRefused

pytestmark = pytest.mark.wimlib


def test_a_refusal_carries_code_and_stage(tmp_path: Path):
    """wimlib's code comes out of the worker."""
    wim = tmp_path / "no.wim"
    wim.write_bytes(b"x" * 300)

    with pytest.raises(WorkerRefused) as told:
        sandbox.run("examine", {"index": 1}, wim=wim, workdir=tmp_path)

    assert (told.value.code, told.value.stage) == (43, "open")


def test_a_worker_that_gives_up_is_told_of(tmp_path: Path):
    """No answer is an answer too: the last line that it wrote is shown."""
    with pytest.raises(WorkerDied, match="KeyError"):
        sandbox.run("dance", {}, wim=tmp_path / "x", workdir=tmp_path)


def test_a_slow_worker_is_ended(tmp_path: Path):
    """The time limit holds from outside."""
    wim = tmp_path / "no.wim"
    wim.write_bytes(b"x")

    with pytest.raises(WorkerDied, match="too long"):
        sandbox.run("examine", {"index": 1}, wim=wim, workdir=tmp_path, limits=Limits(seconds=0.0))


def replace_worker(monkeypatch: pytest.MonkeyPatch, code: str) -> list[int]:
    """Let the sandbox start another program in the worker's place; the pids that it had."""
    started: list[int] = []
    real = subprocess.Popen

    def start(_command: object, **options: object) -> object:
        process = real([sys.executable, "-c", code], **options)  # type: ignore[call-overload]
        started.append(process.pid)
        return process

    monkeypatch.setattr(sandbox.subprocess, "Popen", start)
    return started


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import os; os.abort()", "crashed on this file .SIGABRT"),
        ("import os; os.kill(os.getpid(), 11)", "crashed on this file .SIGSEGV"),
        ("print('{nonsense')", "invalid answer"),
        ("print('[' * 100000)", "invalid answer"),
        ("print('[1, 2]')", "failed on this file: exit code 0"),
        ("raise SystemExit(3)", "failed on this file: exit code 3"),
        ("pass", "failed on this file: exit code 0"),
    ],
)
def test_a_death_is_told_in_words(
    code: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Crash, nonsense and silence are WorkerDied, whatever a hostile file made of the worker."""
    replace_worker(monkeypatch, code)

    with pytest.raises(WorkerDied, match=words):
        sandbox.run("examine", {}, wim=tmp_path / "x", workdir=tmp_path)


def test_an_answer_without_an_end_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A line has a limit."""
    monkeypatch.setattr(sandbox, "_LINE_LIMIT", 1 << 16)
    replace_worker(monkeypatch, "while True: print('x' * 1000, end='')")

    with pytest.raises(WorkerDied, match="too much output"):
        sandbox.run("examine", {}, wim=tmp_path / "x", workdir=tmp_path)


class Cancelled(Exception):
    pass


def test_raising_in_progress_ends_the_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A cancelled job leaves no process behind, even when the worker is silent."""
    monkeypatch.setattr(sandbox, "_POLL_SECONDS", 0.05)
    started = replace_worker(monkeypatch, "import signal; signal.pause()")

    def cancel(_stage: str, _done: int, _total: int) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        sandbox.run("examine", {}, wim=tmp_path / "x", workdir=tmp_path, progress=cancel)

    with pytest.raises(ProcessLookupError):
        os.kill(started[0], 0)
