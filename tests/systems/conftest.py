"""The package on the other systems that it is for: `make test-systems`."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.packaging.built import built_package

# Minutes, and the archives of other systems: only where asked for.
collect_ignore_glob = [] if os.environ.get("SYSTEMS") else ["test_*.py"]


@dataclass(frozen=True)
class System:
    """A system's tree, entered by chroot with its own processes."""

    tree: Path

    def sh(self, script):
        isolated = ("unshare", "--mount", "--pid", "--fork", f"--mount-proc={self.tree}/proc")
        return subprocess.run(
            [*isolated, "chroot", self.tree, "sh", "-c", script], capture_output=True, text=True
        )

    def must(self, script):
        done = self.sh(script)
        assert done.returncode == 0, f"{script}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done.stdout


@pytest.fixture(scope="session")
def package():
    return built_package()
