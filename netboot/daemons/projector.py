"""The projector: folds the journal into rows of boots, machines and webhook messages.

Pages read rows only, so they show an event as soon as it is folded. Each batch of entries is
folded in one transaction together with the mark (netboot.store.boots.journal_mark): several
processes may fold at once, and one that dies loses nothing.
"""

import signal
import threading
import time
from types import FrameType

import structlog

from netboot.errors import NetbootError
from netboot.operations.accounts import happenings
from netboot.site import Site
from netboot.store.boots import journal_mark
from netboot.store.boots import machines as machine_rows
from netboot.store.boots.folding import BootFolding
from netboot.store.boots.journal_mark import Mark

BATCH = 500
"""So many entries a transaction: others who write wait no longer than it takes."""

BREATH_SECONDS = 0.1
"""Between two batches, so that a storm of boots does not mean a commit for every event."""

LOOK_SECONDS = 0.5
"""So often it looks for changes and jobs that webhooks are sent, which are not in the journal."""

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds between tries while database or journal fail, longer each time."""

log = structlog.get_logger()


class Projector:
    """Folds what is new. For one thread of one process; others may fold the same site."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._boots = BootFolding(site.journal)
        self._mark = Mark(0)

    def step(self) -> int:
        """Fold a batch, if there is one; returns how many entries it had.

        Raises OperatorFault where the database fails, ContentFault where the journal does.
        """
        newest = self._site.journal.last_id()
        with self._site.database.transaction() as session:
            mark = journal_mark.read(session)
            if mark is not None and mark.id == newest and not happenings.has_news(session):
                self._mark = mark
                return 0
        with self._site.database.writing() as session:
            now = time.time()
            mark = journal_mark.read(session) or journal_mark.first(session, newest)
            if self._site.journal.last_id() < mark.id:  # the journal was lost; another one began
                mark = Mark(0)
            entries = self._site.journal.events_since(mark.id, BATCH)
            self._boots.fold(entries, session, mark=mark.id)
            machine_rows.fold((one for one in entries if one.id > mark.machines), session)
            happenings.fold((one for one in entries if one.id > mark.webhooks), session, now=now)
            happenings.collect(session, now=now)
            mark = mark.moved(entries[-1].id if entries else mark.id)
            journal_mark.write(session, mark)
        self._mark = mark
        return len(entries)

    def run(self, ending: threading.Event) -> None:
        """Fold what comes, until `ending`. While database or journal fail, events wait there."""
        pause = 0.0
        while not ending.is_set():
            try:
                folded = self.step()
                if pause:
                    log.info("projector.works_again")
                    pause = 0.0
                if folded == 0:
                    self._site.journal.wait_for_change(self._mark.id, LOOK_SECONDS)
                elif folded < BATCH:
                    ending.wait(BREATH_SECONDS)
            except NetbootError as fault:
                pause = min(LONGEST_PAUSE, pause * 2 or FIRST_PAUSE)
                log.warning("projector.trouble", fault=str(fault), next_try_seconds=pause)
                ending.wait(pause)


def catch_up(site: Site) -> None:
    """Fold what the journal holds now, for a reader of rows where the projector may not run.

    Raises OperatorFault, ContentFault.
    """
    projector = Projector(site)
    while projector.step():
        pass


def run_projector(site: Site) -> None:
    """Be the projector of a site until SIGTERM or SIGINT."""
    ending = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        ending.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    Projector(site).run(ending)
