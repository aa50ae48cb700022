"""Starts a program behind walls: `python -m netboot.store.foreign.walled PLAN PROGRAM…`.

It is a process of its own because walls can only be drawn around a process with one thread. PLAN is
a JSON object: the paths that may be read and written, and the user to become. `--probe` instead
prints which walls this system draws.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from netboot.store.foreign.confinement import WALLS, Limits, enter, enter_for_programs

PROBE = "--probe"


def command(
    argv: Sequence[str], *, readable: Sequence[Path], writable: Sequence[Path], user: int | None
) -> list[str]:
    """The words that start `argv` behind walls, as this user, for `environment`."""
    plan = {"read": list(map(str, readable)), "write": list(map(str, writable)), "user": user}
    return [*_module(), json.dumps(plan), *argv]


def environment() -> dict[str, str]:
    """For `command`: where this module is, and a fixed language."""
    root = str(Path(__file__).parents[3])
    return {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "PYTHONPATH": root}


def missing_walls() -> tuple[str, ...]:
    """The walls that cannot be drawn around readers of untrusted files on this system."""
    done = subprocess.run(
        [*_module(), PROBE],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    return tuple(wall for wall in WALLS if wall not in done.stdout.split())


def _module() -> list[str]:
    return [sys.executable, "-s", "-P", "-m", "netboot.store.foreign.walled"]


def main(arguments: list[str]) -> None:
    if arguments == [PROBE]:
        sys.stdout.write(" ".join(enter(Limits(), readable=[], writable=[])))
        return
    plan, *argv = arguments
    told = json.loads(plan)
    read, write = ([Path(path) for path in told[name]] for name in ("read", "write"))
    enter_for_programs(readable=read, writable=write)
    if told["user"] is not None:  # after it: that user may not even see the folder of the archive
        os.setgroups([])
        os.setresgid(told["user"], told["user"], told["user"])
        os.setresuid(told["user"], told["user"], told["user"])
    del os.environ["PYTHONPATH"]
    os.execvp(argv[0], argv)  # noqa: S606  # no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
