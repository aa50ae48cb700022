"""The parent of the site's processes: starts them, restarts them, and ends them all together.

While the site starts, a child that ends with code 2 has printed an operator's fault, and the site
ends too. Afterwards nothing that happens to one child ends another: it is started again for ever,
each time after a longer pause. Pages and metrics read its state from the board
(netboot.operations.processes).
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
from contextlib import suppress
from dataclasses import dataclass, field
from types import FrameType

from netboot.errors import OperatorFault
from netboot.operations.processes import BOARD, NAMES, Board

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
    ended: int = 0
    reason: str = ""
    ended_at: float = 0.0
    lost: int = 0
    next_start: float = 0.0
    environment: dict[str, str] = field(default_factory=dict)


class Supervisor:
    """Runs children until a signal, or until one cannot work here while the site starts."""

    def __init__(self, children: Sequence[Child], tell: Callable[[str], None]) -> None:
        self.children = list(children)
        self.board = Board.inherited() or Board.create()
        self._to = tell
        self._starting = True
        self._stopping = False
        self._code = 0
        self._wake, self._waker = socket.socketpair()
        for end in (self._wake, self._waker):
            end.setblocking(False)  # noqa: FBT003  # the socket module's own signature

    def run(self, when_started: Callable[[], object]) -> int:
        """Start everything, call `when_started`, wait for the end; returns an exit code.

        The start is over when `when_started` returns; what it raises ends the site.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._asked_to_stop)
        signal.signal(signal.SIGCHLD, lambda _signal, _frame: None)
        signal.set_wakeup_fd(self._waker.fileno())
        try:
            for child in self.children:
                self._start(child)
            when_started()
            self._starting = False
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

    def wait_until_ready(self, names: Sequence[str], *, seconds: float) -> bool:
        """`wait_until` all of these have said that they do their work."""
        return self.wait_until(
            lambda: all(self.board.is_ready(name) for name in names), seconds=seconds
        )

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
        """Start a child. Raises OperatorFault if that fails while the site starts."""
        own = {PARENT: str(os.getpid()), BOARD: str(self.board.fd)}
        try:
            child.process = subprocess.Popen(
                child.command,
                stdin=subprocess.DEVNULL,
                env=os.environ | own | child.environment,
                start_new_session=True,
                pass_fds=(self.board.fd,),
            )
        except OSError as fault:
            reason = f"{child.command[0]}: {fault.strerror}"
            if self._starting:
                raise OperatorFault(f"{child.name} cannot be started: {reason}") from fault
            self._plan_next(child, f"and cannot be started ({reason})")
            return
        child.started = time.monotonic()
        self._note(child)

    def _look_after_children(self) -> None:
        now = time.monotonic()
        for child in self.children:
            if child.process is None:
                if now >= child.next_start:
                    self._start(child)
                continue
            ended = child.process.poll()
            if ended == OPERATOR_FAULT and self._starting:
                self._tell(f"{child.name} cannot work here (see its message above); the site ends.")
                self._code = OPERATOR_FAULT
            elif ended is not None:
                self._bury(child, ended, now)

    def _bury(self, child: Child, ended: int, now: float) -> None:
        """Plan the next start of a child that has died: later each time, unless it ran for long."""
        child.process = None
        child.lost += self.board.forget_reports(child.name) if child.name in NAMES else 0
        if now - child.started > LONG_LIFE:
            child.failures = 0
        self._plan_next(child, _how(ended), now)

    def _plan_next(self, child: Child, how: str, now: float | None = None) -> None:
        now = time.monotonic() if now is None else now
        child.failures += 1
        child.ended += 1
        child.reason = how
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(child.failures - 1, 10))
        child.next_start = now + pause
        self._note(child, pause)
        self._tell(f"{child.name} ended {how}; it starts again in {pause:.0f} s.")

    def _note(self, child: Child, pause: float = 0.0) -> None:
        """Write the child's state on the board."""
        now = time.time()
        self.board.note(
            child.name,
            {
                "running": child.process is not None,
                "ended": child.ended,
                "reason": child.reason,
                "ended_at": now if pause else child.ended_at,
                "next_start": now + pause,
                "lost": child.lost,
            },
        )
        if pause:
            child.ended_at = now

    def _tell(self, text: str) -> None:
        """Say it; a console that is gone, or a log on a full disk, must not end the site."""
        with suppress(OSError, ValueError):
            self._to(text)

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
