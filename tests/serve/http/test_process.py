"""The boot port as a process: it serves, and ends cleanly when asked to."""

import os
import signal
import subprocess
import sys
import textwrap
import time
import urllib.request
from pathlib import Path

import pytest

from netboot.serve.http.httpd import open_tcp

pytestmark = pytest.mark.loopback

ROOT = Path(__file__).resolve().parents[3]


def free_port() -> int:
    tcp = open_tcp("127.0.0.1", 0)
    port = tcp.getsockname()[1]
    tcp.close()
    return int(port)


def start(code: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(url: str) -> bytes:
    end = time.monotonic() + 10
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                return response.read()
        except OSError:
            assert time.monotonic() < end, "it does not answer"
            time.sleep(0.02)


def test_it_serves_until_sigterm() -> None:
    """Started, asked, told to stop: exit code 0 and no word on stderr."""
    port = free_port()
    with start(f"""
        from netboot.serve.http.message import plain
        from netboot.serve.http.process import serve_http
        serve_http(lambda request: plain(200, request.path), address="127.0.0.1", port={port})
    """) as process:
        assert wait_for(f"http://127.0.0.1:{port}/x") == b"/x\n"
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=10)

    assert (process.returncode, errors) == (0, "")


def test_several_processes_serve_one_port() -> None:
    """Two workers with SO_REUSEPORT: both answer, one that is killed is replaced."""
    port = free_port()
    with start(f"""
        import os, signal, time
        from netboot.serve.http.limits import HttpLimits
        from netboot.serve.http.message import plain
        from netboot.serve.http.process import serve_http
        from netboot.serve.workers import Workers

        def serve(index):
            serve_http(
                lambda request: plain(200, f"{{index}} {{os.getpid()}}"),
                address="127.0.0.1", port={port}, reuse_port=True, limits=HttpLimits().share(2),
            )

        workers = Workers(2, serve)
        going = [True]
        signal.signal(signal.SIGTERM, lambda *_: going.clear())
        while going:
            workers.check(time.monotonic())
            time.sleep(0.05)
        workers.stop()
    """) as process:
        url = f"http://127.0.0.1:{port}/"
        seen = _workers(url, want=2)
        assert set(seen) == {"0", "1"}
        os.kill(seen["0"], signal.SIGKILL)
        end = time.monotonic() + 10
        while True:
            now = _workers(url, want=2)
            if now["0"] != seen["0"]:
                break
            assert time.monotonic() < end
        assert now["1"] == seen["1"]
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=20)

    assert process.returncode == 0, errors


def _workers(url: str, want: int) -> dict[str, int]:
    """Which workers answer, by index, and their process numbers."""
    seen: dict[str, int] = {}
    end = time.monotonic() + 10
    while len(seen) < want:
        assert time.monotonic() < end, seen
        index, pid = wait_for(url).split()
        seen[index.decode()] = int(pid)
    return seen
