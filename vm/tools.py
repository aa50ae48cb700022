"""What the lab's commands share: programs of the system, children that die with us, refusals."""

import os
import shutil
import sys
from collections.abc import Sequence

from netboot.errors import MissingTool, OperatorFault

# Where distributions keep `ip` and friends for users whose PATH lacks them.
_SYSTEM_PATHS = "/usr/sbin:/sbin:/usr/bin:/bin"


def require_tool(name: str, *, package: str) -> str:
    """The path of a program. Raises MissingTool."""
    path = shutil.which(name) or shutil.which(name, path=_SYSTEM_PATHS)
    if path is None:
        raise MissingTool(f"{name} is not installed", hint=f"Install it: apt-get install {package}")
    return path


def dying_with_us(argv: Sequence[str]) -> list[str]:
    """`argv` as a child that the kernel kills when the thread that started it ends.

    setpriv requests the signal. If this process died before that, the shell sees another parent
    process and does not start the program.
    """
    return [
        *(require_tool("setpriv", package="util-linux"), "--pdeathsig", "KILL", "--"),
        *("/bin/sh", "-c", 'test "$PPID" = "$0" && exec "$@"', str(os.getpid())),
        *argv,
    ]


def refuse(fault: OperatorFault) -> int:
    """Print why a command cannot run; returns its exit code."""
    print(f"error: {fault}", file=sys.stderr)
    if fault.hint:
        print(f"  -> {fault.hint}", file=sys.stderr)
    return 2
