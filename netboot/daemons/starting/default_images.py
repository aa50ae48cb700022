"""The Lab PE images of a trial, made in the background: the site never waits for them.

They are built from Debian packages by a compiler, which not every machine has. Where they cannot be
made the reason is said, and the next start tries again.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Self

from netboot.daemons.starting.own_user import with_rights
from netboot.daemons.supervisor import PARENT
from netboot.errors import DatabaseFault
from netboot.operations import remembered as facts
from netboot.operations.lab_pe import MAKER, end_maker
from netboot.site import Site


class DefaultImages:
    """The two default images, once in the life of a site: if deleted, they stay deleted.

    A context manager: its end stops what is not finished, and the next start continues it.
    """

    def __init__(self, site: Site, tell: Callable[[str], None]) -> None:
        self._site, self._tell = site, tell
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._is_over = False
        self._thread = threading.Thread(target=self._make, name="default images", daemon=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._is_over = True
            process = self._process
        if process is not None:
            end_maker(process)

    def begin(self) -> None:
        """Make them in the background, if the site has never had them."""
        self._thread.start()

    def wait(self) -> None:
        self._thread.join()

    def _make(self) -> None:
        try:
            if facts.recall(self._site, facts.DEFAULTS_PROVIDED):
                return
        except DatabaseFault as fault:
            self._tell(f"The Lab PE images are not made now: {fault}.")
            return
        code = self._run()
        if code == 0:
            self._tell("The Lab PE images are there (Boot images).")
        elif not self._is_over:
            self._tell("The Lab PE images were not made (see the message above).")
            self._tell("  -> Only trials with them need them; the next start tries again.")

    def _run(self) -> int | None:
        """The exit code of the process that makes them; None if the site ended before."""
        made = [sys.executable, *MAKER, "--data", str(self._site.data)]
        command = with_rights(made, ())
        with self._lock:
            if self._is_over:
                return None
            self._tell("The Lab PE images (x64, x86) are made in the background: a minute or two.")
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                env=os.environ | {PARENT: str(os.getpid())},
                start_new_session=True,
            )
        return self._process.wait()
