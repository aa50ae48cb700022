"""The pages of Help, built without a network, and read as a browser would read them."""

import fcntl
import os
import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

from bs4 import BeautifulSoup

ROOT = Path(__file__).resolve().parents[2]
WITHOUT_NETWORK = ("unshare", "--net")


def built(tmp_path_factory):
    """The folder with the pages; the first process that asks builds it."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "help"
    with (shared / "help.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            command = [sys.executable, str(ROOT / "scripts" / "help" / "build.py"), str(folder)]
            if os.geteuid() == 0 and shutil.which("unshare"):
                command = [*WITHOUT_NETWORK, *command]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
    return folder


def pages(folder):
    """The names of all pages, like `reference/settings`."""
    return sorted(
        path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.html")
    )


@lru_cache(maxsize=64)
def page(folder, name):
    """A page, parsed."""
    return BeautifulSoup((folder / f"{name}.html").read_text(), "html.parser")


def headings(folder, name, level):
    """The texts of the headings of a level."""
    found = page(folder, name).select(f"article {level}")
    return [heading.get_text().removesuffix("¶") for heading in found]


@lru_cache(maxsize=64)
def anchors(folder, name):
    """All that a link to this page can point at."""
    return {tag["id"] for tag in page(folder, name).select("[id]")}
