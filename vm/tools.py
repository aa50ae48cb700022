"""Programs of the system that the lab drives: found, or asked for by package."""

import os
import shutil
from collections.abc import Sequence

from netboot.errors import MissingTool

# Where distributions keep `ip` and friends for users whose PATH lacks them.
_SYSTEM_PATHS = "/usr/sbin:/sbin:/usr/bin:/bin"


def require_tool(name: str, *, package: str) -> str:
    """The path of a program. Raises MissingTool."""
    path = shutil.which(name) or shutil.which(name, path=_SYSTEM_PATHS)
    if path is None:
        raise MissingTool(f"{name} is not installed", hint=f"Install it: apt-get install {package}")
    return path


def dying_with_us(argv: Sequence[str]) -> list[str]:
    """`argv` as a child of this process that is killed when the thread that started it ends.

    setpriv arranges the signal; should we have died before that, the shell sees another parent
    than the one that is named and does not begin.
    """
    return [
        *(require_tool("setpriv", package="util-linux"), "--pdeathsig", "KILL", "--"),
        *("/bin/sh", "-c", 'test "$PPID" = "$0" && exec "$@"', str(os.getpid())),
        *argv,
    ]
