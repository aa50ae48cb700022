"""Follows the journal beside the pages: what boots came to is written down while they go on.

Pages read the boot log and the known machines, which fold what is new in memory; the follower
keeps that little by saving it, so that no page ever waits for a writer's turn.
"""

import threading
from contextlib import suppress

import structlog

from netboot.errors import NetbootError
from netboot.operations.images import images
from netboot.operations.machines import coverage
from netboot.site import Site

SAVE_SECONDS = 1.0
IMAGES_AHEAD = 16

log = structlog.get_logger(__name__)


class Follower:
    """A thread that saves boots and machines once a second while there is news."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._trouble = ""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="boot-log", daemon=True)

    def start(self) -> "Follower":
        """Begin; what pages of a large site need in memory is read first, so that none has to."""
        with suppress(NetbootError):  # pages tell what is wrong
            coverage.lacking(self._site)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Save what is left, and end."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        with suppress(NetbootError):
            self._look_ahead()
        while not self._stopping.wait(SAVE_SECONDS):
            self._save()
        self._save()

    def _look_ahead(self) -> None:
        """Hold a large fleet against each image, so that no page has to do it for the first."""
        for image in images.list_images(self._site)[:IMAGES_AHEAD]:
            if self._stopping.is_set():
                return
            coverage.coverage(self._site, image.slug, glance=True)

    def _save(self) -> None:
        try:
            self._site.boots.save()
            self._site.machines.save()
            self._trouble = ""
        except NetbootError as fault:  # the next second may be better; rows can wait
            if self._trouble != str(fault):
                self._trouble = str(fault)
                log.warning("boots and machines not saved", reason=self._trouble)
