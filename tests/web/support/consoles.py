"""A console as its own process, as `netboot run` starts it, and a worker beside it."""

import contextlib
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[3]


def free_port():
    """A port that nobody holds now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


class Console:
    """`python -m web` on a data folder; it can be killed and started again on the same port."""

    def __init__(self, data, port=0):
        self.data = data
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = None

    def start(self, tls=None):
        """Start it, and wait until it answers; over TLS where a context is given."""
        if tls is not None:
            self.url = self.url.replace("http:", "https:")
        with (self.data / "web.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "web", "--data", str(self.data), "--port", str(self.port),
                 "--address", "127.0.0.1"],
                cwd=ROOT, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        until = time.monotonic() + 180
        while time.monotonic() < until:
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"{self.url}/sign-in", timeout=5, verify=tls or True)
                return self
            assert self.process.poll() is None, self.log()
            time.sleep(0.05)
        raise AssertionError(f"the console did not answer: {self.log()}")

    def stop(self, number=signal.SIGTERM):
        """Stop it; the seconds that it took."""
        began = time.monotonic()
        if self.process.poll() is None:
            import os

            if number == signal.SIGKILL:
                os.killpg(self.process.pid, number)
            else:
                self.process.send_signal(number)
        self.process.wait(30)
        return time.monotonic() - began

    def log(self):
        """The end of what it said."""
        return (self.data / "web.log").read_text(errors="replace")[-4000:]


@contextlib.contextmanager
def running_console(data):
    """A console for the length of a block."""
    console = Console(data).start()
    try:
        yield console
    finally:
        console.stop()


@contextlib.contextmanager
def running_worker(data):
    """A worker for the length of a block."""
    with (data / "worker.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "netboot", "--data", str(data), "worker"],
            cwd=ROOT, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)
