"""Builds netboot-VERSION-py3-none-any.whl, for an environment of its own (`pipx install FILE`).

    python scripts/package/wheel.py [OUTPUT-FOLDER]

It requires exactly the versions of the lock files, which are those that the tests ran with: netboot
is a program, not a library, and shares its environment with nobody.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import tomlkit
from build import ROOT, SOURCES, commit_time, fill_help

from netboot import __version__

PAPERS = ("LICENSE", "README.md")
NAME = f"netboot-{__version__}-py3-none-any.whl"


def main(arguments: list[str]) -> None:
    out = Path(arguments[0] if arguments else ROOT / "build").resolve()
    out.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("SOURCE_DATE_EPOCH", commit_time())
    with tempfile.TemporaryDirectory(prefix="netboot-wheel-", dir=out) as scratch:
        lay_out(Path(scratch))
        fill_help(Path(scratch) / "web")
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
        if subprocess.run(command, cwd=scratch, stdout=subprocess.DEVNULL, check=False).returncode:
            sys.exit("The wheel could not be built; the message stands above.")
    print(out / NAME)


def lay_out(folder: Path) -> None:
    """The sources as they are, and a pyproject.toml that requires what is locked."""
    for name in SOURCES:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in PAPERS:
        shutil.copy(ROOT / name, folder / name)
    written = tomlkit.parse((ROOT / "pyproject.toml").read_text())
    project = written["project"]
    locked = requirements(ROOT / "requirements.lock")
    extra = requirements(ROOT / "requirements-test.lock")
    project["dependencies"] = locked
    project["optional-dependencies"] = {
        "postgresql": [line for line in extra if line.startswith("psycopg")]
    }
    (folder / "pyproject.toml").write_text(tomlkit.dumps(written))


def requirements(lock: Path) -> list[str]:
    """The packages of a lock file, with their versions and for which systems they are."""
    lines = re.findall(r"^(\w\S*==[^\\\n]*?) *\\?$", lock.read_text(), flags=re.MULTILINE)
    assert lines, lock
    return lines


if __name__ == "__main__":
    main(sys.argv[1:])
