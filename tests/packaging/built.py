"""The package that the tests of an installed system take."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def built_package() -> Path:
    """The package, built from this checkout; PACKAGE names one that is there."""
    named = os.environ.get("PACKAGE")
    if named:
        return Path(named)
    builder = [sys.executable, ROOT / "scripts/package/build.py", ROOT / "tests/output/package"]
    done = subprocess.run(builder, stdout=subprocess.PIPE, text=True, check=True)
    return Path(done.stdout.splitlines()[-1])
