"""The command that installs a Python package into this program's environment, as it can be run."""

import importlib.util
import shlex
import shutil
import sys
from pathlib import Path

TOOLS = Path(__file__).parents[3] / ".tools" / "bin"


def install_command(package: str, *, python: Path | None = None) -> str:
    """A command for a shell, in any folder; an environment that uv made has no pip of its own.

    `python` is the environment's interpreter, by default this one.
    """
    python = python or Path(sys.executable)
    uv = TOOLS / "uv" if (TOOLS / "uv").exists() else shutil.which("uv")
    if uv:
        words = [str(uv), "pip", "install", "--python", str(python), package]
    elif _has_pip(python):
        words = [str(python), "-m", "pip", "install", package]
    else:  # pip's own way of installing into another environment
        words = ["python3", "-m", "pip", "--python", str(python), "install", package]
    return shlex.join(words)


def _has_pip(python: Path) -> bool:
    if python == Path(sys.executable):
        return importlib.util.find_spec("pip") is not None
    return (python.parent / "pip").exists()
