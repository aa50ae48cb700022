"""The boots of this site, folded once and kept: a page adds only what happened since.

Folding a whole journal takes a second; folding what is new takes none. Law: what is here could
be forgotten at any time and folded again from the journal.
"""

import threading

from flask import Flask, current_app

from netboot.boot.attempts import Attempt, Folder
from netboot.site import Site

EVENTS_AT_FIRST = 8000
EVENTS_AT_ONCE = 1000


class BootLog:
    """The newest boots of a site, as far as the journal has been read."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._lock = threading.Lock()
        self._folder = Folder()
        self._read_to = -1
        self._boots: tuple[Attempt, ...] = ()

    def recent(self, limit: int | None = None) -> tuple[Attempt, ...]:
        """The newest boots first. Raises ContentFault when the journal cannot be read."""
        with self._lock:
            self._catch_up()
            return self._boots[:limit]

    def _catch_up(self) -> None:
        journal = self._site.journal
        newest = journal.last_id()
        if newest < self._read_to or self._read_to < 0:  # the first time, or another journal
            self._folder, self._boots = Folder(), ()
            self._read_to = max(0, newest - EVENTS_AT_FIRST)
        if newest == self._read_to:
            return
        while entries := journal.events_since(self._read_to, EVENTS_AT_ONCE):
            for entry in entries:
                self._folder.add(entry.event)
            self._read_to = entries[-1].id
        self._boots = self._folder.attempts()


def boot_log() -> BootLog:
    """The boots of this application's site."""
    found: BootLog = current_app.extensions["netboot_boot_log"]
    return found


def init_boot_log(app: Flask, site: Site) -> None:
    """Give the application its memory of boots."""
    app.extensions["netboot_boot_log"] = BootLog(site)
