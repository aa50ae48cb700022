"""The scripts that a newcomer runs first."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROFILES = {"run", "test", "install", "bench", "ubuntu"}


def shell_scripts():
    """Every shell script of the repository, by its first line."""
    folders = (ROOT / "scripts", ROOT / ".ci", ROOT / "vm", ROOT / "netboot" / "store")
    for path in sorted(path for folder in folders for path in folder.rglob("*")):
        if path.is_file() and path.suffix in {"", ".sh"}:
            first = path.read_bytes().split(b"\n", 1)[0]
            if first.startswith(b"#!") and first.endswith((b"sh", b"bash")):
                yield path


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
@pytest.mark.parametrize(
    "path", list(shell_scripts()), ids=lambda path: str(path.relative_to(ROOT))
)
def test_shellcheck_finds_nothing(path):
    """Quoting, unset variables, commands that fail in silence."""
    done = subprocess.run(["shellcheck", path], capture_output=True, text=True, check=False)

    assert done.stdout + done.stderr == ""


def packages():
    """Profile, package and purpose of each line."""
    lines = (ROOT / "scripts" / "packages.txt").read_text().splitlines()
    return [line.split(None, 2) for line in lines if line and not line.startswith("#")]


def test_every_package_has_a_profile_and_a_purpose():
    """Who is asked for a yes reads what each is for; none is asked for twice."""
    rows = packages()

    assert [row for row in rows if len(row) != 3 or row[0] not in PROFILES] == []
    names = [row[1] for row in rows]
    assert sorted(set(names)) == sorted(names)


@pytest.fixture
def newcomer(tmp_path):
    """A checkout on a machine where packages are missing, and what was done to that machine.

    `run(*words, **environment)` runs a script; `apt-get` there only notes that it was called.
    """
    checkout, tools, notes = tmp_path / "checkout", tmp_path / "tools", tmp_path / "notes"
    shutil.copytree(ROOT / "scripts", checkout / "scripts")
    for lock in ROOT.glob("requirements*.lock"):
        shutil.copy(lock, checkout)
    tools.mkdir()
    notes.touch()
    stand_in(tools / "dpkg-query", "exit 1")
    stand_in(tools / "apt-get", f'echo "apt-get $*" >> {notes}; exit 100')

    def run(script, *words, **environment):
        return subprocess.run(
            [checkout / "scripts" / script, *words],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            env={"PATH": f"{tools}:/usr/bin:/bin", "HOME": str(tmp_path), **environment},
        )  # fmt: skip

    run.checkout, run.notes = checkout, notes
    return run


def stand_in(path, body):
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def test_nothing_is_installed_without_a_yes(newcomer):
    """Nobody is there to be asked: the list, what to type, code 2, and nothing was changed."""
    done = newcomer("setup", "run")

    assert done.returncode == 2
    assert "These packages of your system are missing:" in done.stdout
    assert "wimtools" in done.stdout
    assert "YES=1" in done.stderr
    assert "apt-get install --no-install-recommends" in done.stderr
    assert newcomer.notes.read_text() == ""
    assert not (newcomer.checkout / ".venv").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="as another user it would ask sudo")
def test_a_failing_installation_is_told_and_stops_the_set_up(newcomer):
    """A yes beforehand is enough; when apt-get fails its message is the reason."""
    done = newcomer("setup", "run", YES="1")

    assert done.returncode == 2
    assert "apt-get could not install all of:" in done.stderr
    update, install = newcomer.notes.read_text().splitlines()
    assert update == "apt-get update -q"
    assert " wimtools " in install
    assert " shellcheck" not in install
    assert not (newcomer.checkout / ".venv").exists()


def test_each_profile_asks_for_its_own_packages(newcomer):
    """Running needs no browser, tests need what running needs."""
    listed = {
        profile: set(newcomer("setup", profile).stdout.split()) for profile in ("run", "test")
    }

    assert "chromium" not in listed["run"]
    assert {"chromium", "wimtools"} <= listed["test"]
    assert not {"nginx-light"} & listed["test"]


@pytest.mark.parametrize("words", [("nonsense",), ("run ",)])
def test_an_unknown_profile_is_answered_with_those_there_are(newcomer, words):
    """One line, code 2."""
    done = newcomer("setup", *words)

    usage = "usage: scripts/setup run|docs|test|install|bench\n"
    assert (done.returncode, done.stderr) == (2, usage)


def test_locks_are_written_with_the_pinned_tool_only(newcomer):
    """Without the set-up's own uv nothing is written."""
    done = newcomer("lock")

    assert (done.returncode, done.stderr) == (2, "Run scripts/setup first.\n")


def test_lock_files_have_hashes_and_no_addresses():
    """Exact versions, each with its hashes; where they come from is the machine's business."""
    for lock in ROOT.glob("requirements*.lock"):
        text = lock.read_text()
        pinned = [line for line in text.splitlines() if line[:1].isalnum()]
        assert len(pinned) > 20
        assert [line for line in pinned if "==" not in line] == []
        assert text.count("--hash=sha256:") >= len(pinned)
        assert "://" not in text
