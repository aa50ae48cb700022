"""Worker processes: started, replaced, ended."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from netboot.serve.workers import Workers


def until_gone(pid: int) -> bool:
    """Whether a process that is not our child ends within five seconds."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists() or stat.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return True
        time.sleep(0.01)
    return False


def test_each_worker_knows_its_index(tmp_path: Path) -> None:
    """Three children, three indexes."""

    def serve(index: int) -> None:
        (tmp_path / str(index)).write_text(str(os.getpid()))
        signal.pause()

    workers = Workers(3, serve)
    end = time.monotonic() + 5
    while time.monotonic() < end and sum(bool(p.read_text()) for p in tmp_path.iterdir()) < 3:
        time.sleep(0.01)
    pids = workers.pids
    workers.stop()

    assert pids == [int((tmp_path / str(index)).read_text()) for index in range(3)]
    assert workers.pids == []
    assert all(until_gone(pid) for pid in pids)


def test_a_worker_that_dies_is_replaced_but_not_at_once() -> None:
    """One that ended right after its start waits a second, without holding up the parent."""
    begun = time.monotonic()
    workers = Workers(2, lambda _: signal.pause())
    first = workers.pids
    os.kill(first[1], signal.SIGKILL)
    os.waitid(os.P_PID, first[1], os.WEXITED | os.WNOWAIT)
    workers.check(begun)
    assert workers.pids == first[:1]
    workers.check(time.monotonic() + 1.5)
    second = workers.pids
    workers.stop()

    assert second[0] == first[0]
    assert len(second) == 2
    assert second[1] != first[1]


def test_a_worker_that_fails_says_why(capfd: pytest.CaptureFixture[str]) -> None:
    """Its traceback is on stderr."""

    def serve(index: int) -> None:
        raise RuntimeError(f"worker {index} has a bug")

    workers = Workers(1, serve)
    os.waitid(os.P_PID, workers.pids[0], os.WEXITED | os.WNOWAIT)
    workers.stop()

    assert "worker 0 has a bug" in capfd.readouterr().err


def test_workers_end_with_their_parent() -> None:
    """Even if it is killed and can't tell them."""
    code = (
        "import signal,time\n"
        "from netboot.serve.workers import Workers\n"
        "workers = Workers(2, lambda _: signal.pause())\n"
        "print(*workers.pids, flush=True)\n"
        "time.sleep(60)\n"
    )
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(root)},
    ) as parent:
        assert parent.stdout
        pids = [int(word) for word in parent.stdout.readline().split()]
        time.sleep(0.1)
        parent.kill()
        parent.wait()

    assert len(pids) == 2
    assert all(until_gone(pid) for pid in pids)
