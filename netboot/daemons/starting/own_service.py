"""How each process of a site begins: alone of its kind on the data folder, with a log and a state.

`netboot run` starts these processes as its children; a service manager starts each by itself.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from netboot.daemons.starting.service_manager import service_manager
from netboot.daemons.supervisor import PARENT, die_with_parent
from netboot.logs import configure_logs
from netboot.operations.processes import Board
from netboot.site import Site

SHOWN = {
    "boot": "boot services",
    "http": "boot files over HTTP",
    "web": "page",
    "projector": "projector",
    "worker": "worker",
    "lab": "lab",
}
"""Each kind of service, and what pages call it."""


@contextmanager
def own_service(data: Path, kind: str, of: type[Site] = Site) -> Iterator[Site]:
    """The site in `data`, for its one process of this kind, as it sees it.

    Raises SiteAlreadyRunning if there is such a process, or a site that this one is no child of.
    """
    die_with_parent()
    is_child = PARENT in os.environ
    manager = service_manager()
    site = of(Site.open(data).data)
    configure_logs(site.settings.log_format, process=kind)
    locks = site.claim_part(kind, of_a_run=is_child)
    own = os.getpid()
    board = None if is_child else Board.inherited()
    if board is not None:
        note_start(board, SHOWN[kind])
    try:
        yield site
    finally:
        if os.getpid() == own:  # a forked process that unwinds is not the service
            manager.stopping()
            if board is not None:
                note_end(board, SHOWN[kind])
            for lock in locks:
                lock.release()


def note_start(board: Board, name: str) -> None:
    """Write down that this process runs, and that the one before it did not end by itself."""
    state = board.noted(name)
    failed = bool(state.get("running"))
    board.note(
        name,
        {
            "running": True,
            "pid": os.getpid(),
            "ended": int(state.get("ended", 0)) + failed,
            "reason": "unexpectedly" if failed else str(state.get("reason", "")),
            "ended_at": time.time() if failed else float(state.get("ended_at", 0.0)),
            "lost": int(state.get("lost", 0)) + board.forget_reports(name),
        },
    )


def note_end(board: Board, name: str) -> None:
    """Write down that this process stops because it was asked to."""
    board.note(name, board.noted(name) | {"running": False, "pid": 0, "reason": ""})
