"""A virtual machine as a context manager: it runs inside the context.

Every wait has a limit: one selector watches the consoles and the process. A machine without
progress is abandoned, and the last stage that it reached is named; a time-out is never a result.
"""

import contextlib
import os
import selectors
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self

from vm.machine.console import ConsoleReader, LabLine
from vm.machine.firmware import emulator_of, flash_of
from vm.machine.plain_pxe import PlainPxe
from vm.machine.qmp import QmpClient, QmpError
from vm.machine.spec import MachineSpec, Wiring, qemu_arguments
from vm.machine.witness import Witness
from vm.network.lab_network import LabNetwork, stop_process
from vm.network.switch import Hook
from vm.tools import dying_with_us, require_tool

_TICK_SECONDS = 1.0
PICTURE_SECONDS = 2.0

OnLine = Callable[[LabLine], None]
OnScreen = Callable[[Path], None]


class Ending(StrEnum):
    """Why a run ended."""

    DONE = "done"
    HOPELESS = "hopeless"
    EXITED = "exited"
    STALLED = "stalled"
    TOO_LONG = "too long"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds without a sign of life, seconds in all, and seconds of processor time.

    A busy host makes a machine slow, but does not use up its processor time.
    """

    silence: float = 90.0
    wall: float = 300.0
    processor: float = 200.0


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Run:
    """The evidence of a run. `screenshot` is None if QEMU could not take one."""

    ending: Ending
    words: str
    serial: str
    stages: tuple[str, ...]
    reported: bool
    wall_seconds: float
    processor_seconds: float
    screenshot: Path | None


class _Pictures:
    """Hands on a picture of the screen every few seconds."""

    def __init__(
        self, take: Callable[[], Path | None], on_screen: OnScreen | None, began: float
    ) -> None:
        self._take, self._on_screen, self._last = take, on_screen, began

    def show_when_due(self, now: float) -> None:
        if self._on_screen is None or now - self._last < PICTURE_SECONDS:
            return
        self._last = now
        picture = self._take()
        if picture is None:
            self._on_screen = None  # not asked again: the answer to a late question confuses QMP
        else:
            self._on_screen(picture)


class Machine:
    """One machine of a lab. `work` keeps its logs and its screenshot."""

    def __init__(
        self, spec: MachineSpec, network: LabNetwork, work: Path, *, accelerator: str = "tcg"
    ) -> None:
        self.spec = spec
        self.work = work
        self.witness = Witness()
        self._network = network
        self._accelerator = accelerator
        self._stack = contextlib.ExitStack()
        self._process: subprocess.Popen[bytes]

    def __enter__(self) -> Self:
        """Switch it on. Raises MissingTool."""
        self.work.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            self._serial, serial_far = self._pair(stack)
            self._debug, debug_far = self._pair(stack)
            self._consoles = {self._serial: ConsoleReader(), self._debug: ConsoleReader()}
            control, control_far = self._pair(stack)
            self._qmp = QmpClient(control)
            wires = [self._plug(stack, number) for number in range(1 + bool(self.spec.second_nic))]
            far_ends = (*wires, control_far, serial_far, debug_far)
            wiring = Wiring(
                network=[wire.fileno() for wire in wires],
                control=control_far.fileno(),
                serial=serial_far.fileno(),
                debug=debug_far.fileno(),
                variables=self._own_variables(),
                serial_log=self.work / "serial.log",
                debug_log=self.work / "debug.log",
            )
            self._started = time.monotonic()
            self._process = self._spawn(wiring, [end.fileno() for end in far_ends])
            stack.callback(stop_process, self._process)
            for end in far_ends:
                end.close()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def run(
        self,
        limits: Limits = DEFAULT_LIMITS,
        on_line: OnLine = lambda _line: None,
        *,
        on_screen: OnScreen | None = None,
        leash: socket.socket | None = None,
    ) -> Run:
        """Watch the machine until the Lab PE prints DONE, or the boot has failed.

        `on_screen` gets a picture of the screen every few seconds. A byte on `leash`, or its end,
        cancels the run.
        """
        ending, words = self._watch(limits, on_line, on_screen, leash)
        screenshot = self._screenshot()
        return Run(
            ending=ending,
            words=words,
            serial=self._consoles[self._serial].text,
            stages=tuple(self.witness.stages),
            reported=self.witness.reported,
            wall_seconds=round(time.monotonic() - self._started, 2),
            processor_seconds=processor_seconds(self._process.pid),
            screenshot=screenshot,
        )

    def _watch(
        self,
        limits: Limits,
        on_line: OnLine,
        on_screen: OnScreen | None,
        leash: socket.socket | None,
    ) -> tuple[Ending, str]:
        frames, alive_at = 0, self._started
        pictures = _Pictures(self._screenshot, on_screen, self._started)
        exited = os.pidfd_open(self._process.pid)
        with selectors.DefaultSelector() as selector, os.fdopen(exited, "rb"):
            selector.register(exited, selectors.EVENT_READ)
            for watched in (*self._consoles, *([leash] if leash else [])):
                selector.register(watched, selectors.EVENT_READ)
            while True:
                ready = [key.fileobj for key, _ in selector.select(_TICK_SECONDS)]
                now = time.monotonic()
                if leash is not None and leash in ready:
                    return Ending.CANCELLED, "it was switched off on request"
                for source in self._consoles:
                    if source in ready:
                        alive_at = now
                        found = self._read(source, selector, on_line)
                        if found:
                            return found
                # Consoles first: what the machine printed last explains its end.
                if exited in ready and not self._consoles.keys() & set(ready):
                    return Ending.EXITED, f"QEMU ended with {self._process.wait(1)}: {self._log()}"
                pictures.show_when_due(now)
                if self.witness.frames != frames:
                    frames, alive_at = self.witness.frames, now
                over = self._over(limits, now, alive_at)
                if over:
                    return over

    def _read(
        self, source: socket.socket, selector: selectors.BaseSelector, on_line: OnLine
    ) -> tuple[Ending, str] | None:
        try:
            data = source.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            selector.unregister(source)
            return None
        lines, bad_end = self._consoles[source].receive(data)
        for line in lines:
            on_line(line)
            if line.key == "DONE":
                return Ending.DONE, line.rest
        return (Ending.HOPELESS, bad_end) if bad_end else None

    def _over(self, limits: Limits, now: float, alive_at: float) -> tuple[Ending, str] | None:
        where = f"it had {self.witness.last_stage}"
        if now - alive_at > limits.silence:
            return Ending.STALLED, f"no sign of life for {limits.silence:g} s; {where}"
        if now - self._started > limits.wall:
            return Ending.TOO_LONG, f"not done after {limits.wall:g} s; {where}"
        if processor_seconds(self._process.pid) > limits.processor:
            return Ending.TOO_LONG, f"not done after {limits.processor:g} processor s; {where}"
        return None

    def _screenshot(self) -> Path | None:
        path, part = self.work / "screen.png", self.work / "screen.part"
        try:
            self._qmp.execute("screendump", {"filename": str(part), "format": "png"})
            part.replace(path)  # pages read it meanwhile
        except (QmpError, FileNotFoundError):
            return None  # it is off already, or QEMU is older: the serial log is enough
        return path

    def _pair(self, stack: contextlib.ExitStack) -> tuple[socket.socket, socket.socket]:
        near, far = socket.socketpair()
        stack.callback(near.close)
        stack.callback(far.close)
        return near, far

    def _plug(self, stack: contextlib.ExitStack, number: int) -> socket.socket:
        hook: Hook = self.witness
        if self.spec.plain_pxe and number == 0:
            hook = _chain(PlainPxe(), self.witness)
        port, wire = self._network.switch.plug_pair(f"{self.spec.boot_mac}/{number}", hook=hook)
        stack.callback(self._network.switch.unplug, port)
        stack.callback(wire.close)
        return wire

    def _own_variables(self) -> Path:
        flash = flash_of(self.spec.firmware)
        target = self.work / "variables.fd"
        if flash is not None:
            shutil.copyfile(flash.variables, target)
        return target

    def _spawn(self, wiring: Wiring, inherited: list[int]) -> "subprocess.Popen[bytes]":
        argv = [
            require_tool(emulator_of(self.spec.firmware), package="qemu-system-x86"),
            *qemu_arguments(self.spec, wiring, accelerator=self._accelerator),
        ]
        (self.work / "command.txt").write_text("\n".join(argv) + "\n", encoding="utf-8")
        with (self.work / "qemu.log").open("wb") as log:
            return subprocess.Popen(
                dying_with_us(argv),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=inherited,
            )

    def _log(self) -> str:
        text = (self.work / "qemu.log").read_text(encoding="utf-8", errors="replace").strip()
        return text[-300:] or "no message"


def processor_seconds(pid: int) -> float:
    """User and system time of a process; 0.0 if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="latin-1").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _chain(first: Hook, second: Hook) -> Hook:
    def both(frame: bytes) -> bytes | None:
        changed = first(frame)
        return None if changed is None else second(changed)

    return both
