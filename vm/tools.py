"""Programs of the system that the lab drives: found, or asked for by package."""

import shutil

from netboot.errors import MissingTool

# Where distributions keep `ip` and friends for users whose PATH lacks them.
_SYSTEM_PATHS = "/usr/sbin:/sbin:/usr/bin:/bin"


def require_tool(name: str, *, package: str) -> str:
    """The path of a program.

    Raises:
        MissingTool: it is not installed; the hint names the package.
    """
    path = shutil.which(name) or shutil.which(name, path=_SYSTEM_PATHS)
    if path is None:
        raise MissingTool(f"{name} is not installed", hint=f"Install it: apt-get install {package}")
    return path
