"""Servers to compare ourselves with, fetched without installing them.

Two TFTP servers of Debian exclude each other as packages, and none of them should start as a
service only because somebody measures: their packages are unpacked into a folder. Python's come
into an environment of their own.
"""

import shutil
import subprocess
import sys
from pathlib import Path

_FOLDER = Path(__file__).parent / "build" / "peers"


def debian_program(program: str, *packages: str) -> list[str] | None:
    """How to start a program of the system's archive; None if it is out of reach.

    `packages` are the one that holds it and the libraries that it needs.
    """
    installed = shutil.which(program)
    if installed:
        return [installed]
    folder = _FOLDER / program
    if not folder.exists() and not _unpack(packages, folder):
        return None
    libraries = {str(path.parent) for path in folder.rglob("*.so.*")}
    path = next(path for path in folder.rglob(program) if path.parent.name in {"bin", "sbin"})
    return ["env", f"LD_LIBRARY_PATH={':'.join(sorted(libraries))}", str(path)]


def _unpack(packages: tuple[str, ...], folder: Path) -> bool:
    download = folder.with_name(f"{folder.name}.download")
    download.mkdir(parents=True, exist_ok=True)
    fetched = subprocess.run(
        ["apt-get", "download", *packages], cwd=download, capture_output=True, check=False
    )
    if fetched.returncode:
        print(f"{packages} could not be fetched: {fetched.stderr.decode().strip()[-200:]}")
        return False
    unpacked = folder.with_name(f"{folder.name}.unpacked")
    for archive in download.glob("*.deb"):
        subprocess.run(["dpkg", "-x", str(archive), str(unpacked)], check=True)
    unpacked.rename(folder)
    shutil.rmtree(download)
    return True


def python_with(*packages: str) -> str | None:
    """A Python that has these packages (`name==version`), None if they are out of reach."""
    folder = _FOLDER / "python"
    python = folder / "bin" / "python"
    mark = folder / ".holds"
    if mark.exists() and mark.read_text() == " ".join(packages):
        return str(python)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
    done = subprocess.run(
        [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        print(f"{packages} could not be fetched: {done.stderr.decode().strip()[-200:]}")
        return None
    mark.write_text(" ".join(packages))
    return str(python)
