"""Which accelerator QEMU may use: KVM only where it has proved that it boots this very kernel.

/dev/kvm may exist, open, make a machine and even run a few instructions, and then hang a real
kernel (nested virtualisation). So nothing less than a boot counts: the Lab PE's kernel as far as
its "no root" panic, under a time limit. The answer is kept until the host boots again.
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
    """What a trial boot showed."""

    usable: bool
    reason: str


def choose_accelerator(kernel: Callable[[], Path | None], cache: Path, *, emulator: str) -> str:
    """`kvm` or `tcg`. The operator's word in NETBOOT_VM_ACCEL comes before any trial.

    `kernel` is asked for only when a trial is due; without one there is no trial and no KVM.
    Raises InvalidInput, MissingTool.
    """
    wish = os.environ.get(ACCELERATOR_VARIABLE, "auto").lower()
    if wish not in _CHOICES:
        raise InvalidInput(
            f"{ACCELERATOR_VARIABLE}={wish} means nothing",
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
    """Boot `kernel` as far as its panic for want of a root file system."""
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
        # A process that hangs inside the kernel is abandoned: waiting for it could be for ever.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=2.0)
        return Canary(usable=False, reason=f"no panic within {seconds:g} s")
    return judge_canary(process.returncode, output)


def judge_canary(status: int, output: bytes) -> Canary:
    """Usable only when the kernel came up and panicked as it was told to."""
    if status != 0:
        words = output.decode(errors="replace").strip().splitlines()[-1:]
        return Canary(usable=False, reason=f"QEMU ended with {status}: {' '.join(words)}")
    for word in (b"Linux version", b"Kernel panic"):
        if word not in output:
            return Canary(usable=False, reason=f"the console never said {word.decode()!r}")
    return Canary(usable=True, reason="the kernel came up and panicked as it was told to")


def canary_argv(accelerator: str, kernel: Path, *, emulator: str) -> Sequence[str]:
    """The trial machine: no disk, no network, panic means exit."""
    return (
        require_tool(emulator, package="qemu-system-x86"),
        *("-accel", accelerator, "-m", "256", "-nodefaults", "-display", "none"),
        *("-serial", "stdio", "-no-reboot", "-kernel", str(kernel)),
        *("-append", "console=ttyS0 panic=-1 rdinit=/none init=/none"),
    )


def _read(cache: Path) -> dict[str, bool]:
    """An unreadable answer is no answer: the trial is made again."""
    try:
        answers = json.loads(cache.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return answers if isinstance(answers, dict) else {}


def _write(cache: Path, answers: dict[str, bool]) -> None:
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.write_text(json.dumps(answers), encoding="utf-8")
