"""The parent of the site's processes: starts them, restarts them, and ends them all together.

A child that ends with code 2 has printed an operator's fault, so the site ends too. Any other end
is a bug or a kill: the child is started again, each time after a longer pause.
"""

import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import FrameType

from netboot.errors import OperatorFault

PR_SET_PDEATHSIG = 1  # prctl(2)
OPERATOR_FAULT = 2
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
LONG_LIFE = 60.0
PATIENCE = 10.0
PARENT = "NETBOOT_PARENT"


def die_with_parent() -> None:
    """For a supervised child: end with the supervisor, even if that is killed."""
    parent = os.environ.get(PARENT)
    if parent is None:
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):  # it died before the prctl
        sys.exit(0)


@dataclass
class Child:
    """One process of the site."""

    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0
    next_start: float = 0.0
    environment: dict[str, str] = field(default_factory=dict)


class Supervisor:
    """Runs children until a signal, or until one reports that it cannot work here."""

    def __init__(self, children: Sequence[Child], tell: Callable[[str], None]) -> None:
        self.children = list(children)
        self._tell = tell
        self._stopping = False
        self._code = 0
        self._wake, self._waker = socket.socketpair()
        for end in (self._wake, self._waker):
            end.setblocking(False)  # noqa: FBT003  # the socket module's own signature

    def run(self, when_started: Callable[[], None]) -> int:
        """Start everything, call `when_started`, wait for the end; returns an exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._asked_to_stop)
        signal.signal(signal.SIGCHLD, lambda _signal, _frame: None)
        signal.set_wakeup_fd(self._waker.fileno())
        try:
            for child in self.children:
                self._start(child)
            when_started()
            while not self.ending:
                self._wait()
                self._look_after_children()
            return self._code
        finally:
            self._end_all()

    def wait_until(self, ready: Callable[[], bool], *, seconds: float) -> bool:
        """Restart children until `ready`; False after `seconds`, or when all ends."""
        deadline = time.monotonic() + seconds
        while not self.ending and not ready():
            if time.monotonic() > deadline:
                return False
            self._wait(0.1)
            self._look_after_children()
        return not self.ending

    @property
    def ending(self) -> bool:
        return self._stopping or self._code != 0

    def _asked_to_stop(self, _signal: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _wait(self, seconds: float = 1.0) -> None:
        select.select([self._wake], [], [], seconds)
        try:
            while self._wake.recv(4096):
                pass
        except BlockingIOError:
            pass

    def _start(self, child: Child) -> None:
        environment = os.environ | {PARENT: str(os.getpid())} | child.environment
        try:
            child.process = subprocess.Popen(
                child.command, stdin=subprocess.DEVNULL, env=environment, start_new_session=True
            )
        except OSError as fault:
            raise OperatorFault(
                f"{child.name} cannot be started: {child.command[0]}: {fault.strerror}"
            ) from fault
        child.started = time.monotonic()

    def _look_after_children(self) -> None:
        now = time.monotonic()
        for child in self.children:
            if child.process is None:
                if now >= child.next_start:
                    self._start(child)
                continue
            ended = child.process.poll()
            if ended == OPERATOR_FAULT:
                self._tell(f"{child.name} cannot work here (see its message above); the site ends.")
                self._code = OPERATOR_FAULT
            elif ended is not None:
                self._bury(child, ended, now)

    def _bury(self, child: Child, ended: int, now: float) -> None:
        """Plan the next start of a child that has died: later each time, unless it ran for long."""
        child.process = None
        child.failures = 1 if now - child.started > LONG_LIFE else child.failures + 1
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (child.failures - 1))
        child.next_start = now + pause
        self._tell(f"{child.name} ended {_how(ended)}; it starts again in {pause:.0f} s.")

    def _end_all(self) -> None:
        """Ask all to end; kill the process groups of those that are too slow."""
        running = [c.process for c in self.children if c.process and c.process.poll() is None]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + PATIENCE
        for process in running:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _how(ended: int) -> str:
    return f"with code {ended}" if ended >= 0 else f"by {signal.Signals(-ended).name}"


def answers(address: str, port: int) -> bool:
    """Whether a program accepts TCP connections there."""
    try:
        with socket.create_connection((address, port), timeout=1):
            return True
    except OSError:
        return False
