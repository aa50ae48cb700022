"""The command line as an operator uses it: in this process, or as one of its own.

Most words do their work and are over: they run here, where a start costs nothing. What goes on
until it is stopped gets a process, as it would have.
"""

import io
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from netboot.cli import main

STAYING = {"run", "boot", "http", "web", "lab", "projector", "worker", "dhcp", "check"}


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


class CommandLine:
    """`netboot` on one data folder."""

    def __init__(
        self, data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self._data = data
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def __call__(self, *words: object, code: int = 0, typed: str = "") -> Done:
        """Carry out `words` and return what was printed; it must end with `code`."""
        argv = ["--data", str(self._data), *map(str, words)]
        done = self._apart(argv, typed) if words[0] in STAYING else self._here(argv, typed)
        assert code == done.returncode, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    def _here(self, argv: list[str], typed: str) -> Done:
        self._capsys.readouterr()
        stdin = io.TextIOWrapper(io.BytesIO(typed.encode()), encoding="utf-8")  # has a `buffer`
        self._monkeypatch.setattr(sys, "stdin", stdin)
        ended = main(argv)
        printed = self._capsys.readouterr()
        return Done(ended, printed.out, printed.err)

    def _apart(self, argv: list[str], typed: str) -> Done:
        done = subprocess.run(
            [sys.executable, "-m", "netboot", *argv],
            input=typed, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        return Done(done.returncode, done.stdout, done.stderr)
