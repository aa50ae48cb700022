"""The hint for a missing database driver can be run as it is printed."""

import shlex
import subprocess
import sys

import pytest

from netboot.store.database import driver_hint
from netboot.store.database.driver_hint import install_command


def uv():
    """The uv that made this environment."""
    path = driver_hint.TOOLS / "uv"
    found = str(path) if path.exists() else driver_hint.shutil.which("uv")
    if not found:
        pytest.skip("uv is not installed here")
    return found


def test_the_command_installs_the_driver_into_an_environment_that_uv_made(tmp_path):
    """It has no pip, and the command is run from another folder."""
    environment = tmp_path / "environment"
    subprocess.run([uv(), "venv", "-q", "--python", sys.executable, environment], check=True)
    python = environment / "bin" / "python"
    assert subprocess.run([python, "-c", "import pip"], capture_output=True).returncode != 0
    command = install_command("psycopg[binary]", python=python)
    done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True)
    if "dns error" in done.stderr or "error sending request" in done.stderr:
        pytest.skip("no package index can be reached from here")

    assert (done.returncode, done.stderr.count("error")) == (0, 0), done.stderr
    seen = [python, "-c", "import psycopg; print(psycopg.__version__)"]
    assert subprocess.run(seen, capture_output=True, text=True, check=True).stdout.strip()


def test_without_uv_the_environments_own_pip_is_named_or_the_systems(tmp_path, monkeypatch):
    """Whichever can write into it."""
    monkeypatch.setattr(driver_hint, "TOOLS", tmp_path)
    monkeypatch.setattr(driver_hint.shutil, "which", lambda _: None)
    python = tmp_path / "environment" / "bin" / "python"
    python.parent.mkdir(parents=True)
    without = install_command("psycopg[binary]", python=python)
    (python.parent / "pip").touch()
    own = install_command("psycopg[binary]", python=python)

    assert shlex.split(without) == [
        *("python3", "-m", "pip", "--python", str(python), "install", "psycopg[binary]"),
    ]
    assert shlex.split(own) == [str(python), "-m", "pip", "install", "psycopg[binary]"]
