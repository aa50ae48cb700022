"""Chooses QEMU's accelerator: KVM only after it has booted the Lab PE's kernel.

/dev/kvm may exist, open, create a machine and even run a few instructions, and then hang a real
kernel (nested virtualisation). So only a boot counts: the Lab PE's kernel up to its "no root"
panic, within a time limit. The answer is kept until the host restarts.
"""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from netboot.errors import InvalidInput
from vm.tools import require_tool

ACCELERATOR_VARIABLE = "NETBOOT_VM_ACCEL"
CANARY_SECONDS = 8.0
_KVM = Path("/dev/kvm")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_CHOICES = ("auto", "kvm", "tcg")


@dataclass(frozen=True, slots=True)
class Canary:
    """Result of a trial boot."""

    usable: bool
    reason: str


def choose_accelerator(kernel: Callable[[], Path | None], cache: Path, *, emulator: str) -> str:
    """`kvm` or `tcg`. NETBOOT_VM_ACCEL overrides the trial.

    Calls `kernel` only for a trial; without a kernel there is no trial and no KVM.
    Raises InvalidInput, MissingTool.
    """
    wish = os.environ.get(ACCELERATOR_VARIABLE, "auto").lower()
    if wish not in _CHOICES:
        raise InvalidInput(
            f"{ACCELERATOR_VARIABLE} cannot be {wish!r}",
            hint=f"Set it to one of: {', '.join(_CHOICES)}.",
        )
    if wish != "auto":
        return wish
    if not os.access(_KVM, os.R_OK | os.W_OK):
        return "tcg"
    key = f"{emulator} {_BOOT_ID.read_text(encoding='ascii').strip()}"
    answers = _read(cache)
    if key not in answers:
        trial = kernel()
        if trial is None:
            return "tcg"
        answers = {**answers, key: fly_canary("kvm", trial, emulator=emulator).usable}
        _write(cache, answers)
    return "kvm" if answers[key] else "tcg"


def fly_canary(
    accelerator: str, kernel: Path, *, emulator: str, seconds: float = CANARY_SECONDS
) -> Canary:
    """Boot `kernel` until it panics because it has no root file system."""
    argv = canary_argv(accelerator, kernel, emulator=emulator)
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        # A process that hangs inside the kernel is abandoned: waiting might never end.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=2.0)
        return Canary(usable=False, reason=f"no panic within {seconds:g} s")
    return judge_canary(process.returncode, output)


def judge_canary(status: int, output: bytes) -> Canary:
    """Usable only if the kernel started and then panicked, as its command line demands."""
    if status != 0:
        words = output.decode(errors="replace").strip().splitlines()[-1:]
        return Canary(usable=False, reason=f"QEMU ended with {status}: {' '.join(words)}")
    for word in (b"Linux version", b"Kernel panic"):
        if word not in output:
            return Canary(usable=False, reason=f"the console did not print {word.decode()!r}")
    return Canary(usable=True, reason="the kernel started, and panicked as expected")


def canary_argv(accelerator: str, kernel: Path, *, emulator: str) -> Sequence[str]:
    """The trial machine: no disk, no network; QEMU exits when the kernel panics."""
    return (
        require_tool(emulator, package="qemu-system-x86"),
        *("-accel", accelerator, "-m", "256", "-nodefaults", "-display", "none"),
        *("-serial", "stdio", "-no-reboot", "-kernel", str(kernel)),
        *("-append", "console=ttyS0 panic=-1 rdinit=/none init=/none"),
    )


def _read(cache: Path) -> dict[str, bool]:
    """If the answers cannot be read, the trial is repeated."""
    try:
        answers = json.loads(cache.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return answers if isinstance(answers, dict) else {}


def _write(cache: Path, answers: dict[str, bool]) -> None:
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.write_text(json.dumps(answers), encoding="utf-8")
