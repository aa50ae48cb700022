import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from netboot.errors import MissingTool
from vm.tools import dying_with_us, require_tool


def test_a_tool_is_found_where_users_paths_do_not_reach(monkeypatch):
    """`ip` lies in /usr/sbin on some systems; an ordinary user's PATH lacks that."""
    monkeypatch.setenv("PATH", "/nowhere")

    assert Path(require_tool("ip", package="iproute2")).is_file()


def test_a_missing_tool_names_its_package():
    """The hint is a command to type."""
    with pytest.raises(MissingTool) as caught:
        require_tool("no-such-program", package="no-such-package")

    assert "apt-get install no-such-package" in caught.value.hint


def test_a_program_that_dies_with_us_runs_while_we_do():
    """Arguments and exit status pass through, blanks and quotes too."""
    script = "import sys; sys.exit(len(sys.argv[1:]))"

    done = subprocess.run(
        dying_with_us([sys.executable, "-c", script, "a b", "'", ""]), check=False
    )
    assert done.returncode == 3


def test_a_program_whose_parent_is_gone_does_not_begin():
    """A parent that died before the arrangement was made is noticed."""
    argv = dying_with_us(["/bin/echo", "began"])
    orphaned = [str(os.getppid()) if word == str(os.getpid()) else word for word in argv]

    done = subprocess.run(orphaned, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (1, b"")


def test_a_program_is_killed_with_its_parent():
    """Its parent's end, even by SIGKILL, ends it at once."""
    script = (
        "import os,subprocess; from vm.tools import dying_with_us\n"
        "child = subprocess.Popen(dying_with_us(['cat']), stdin=subprocess.PIPE,"
        " stdout=subprocess.PIPE)\n"
        "child.stdin.write(b'up'); child.stdin.flush(); child.stdout.read(2)\n"
        "print(child.pid, flush=True); os.kill(os.getpid(), 9)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )
    pid = int(parent.stdout.readline())
    # The child holds no end of this pipe but through its parent, so wait for the child itself.
    descriptor = os.pidfd_open(pid) if Path(f"/proc/{pid}").exists() else None
    assert parent.wait(10) == -signal.SIGKILL
    parent.stdout.close()
    if descriptor is not None:
        ready, _, _ = select.select([descriptor], [], [], 10)
        os.close(descriptor)
        assert ready
