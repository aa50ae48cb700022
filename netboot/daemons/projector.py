"""The projector: folds the journal into rows of boots, machines and webhook messages.

Pages read only rows, so they show an event as soon as it is folded. Each batch is folded in one
transaction together with the mark (netboot.store.boots.journal_mark): several processes may fold at
the same time, and a crash loses nothing.
"""

import signal
import threading
import time

import structlog

from netboot.errors import NetbootError
from netboot.operations.accounts import happenings
from netboot.site import Site
from netboot.store.boots import journal_mark
from netboot.store.boots import machines as machine_rows
from netboot.store.boots.folding import BootFolding
from netboot.store.boots.journal_mark import Mark

BATCH = 500
"""Entries in a transaction: other writers wait no longer than it takes."""

BREATH_SECONDS = 0.05
"""Pause between batches, so that a boot storm does not cause a commit for every event."""

LOOK_SECONDS = 0.5
"""Between looks for changes and finished jobs, which are not in the journal."""

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds between tries while database or journal fail, longer each time."""

log = structlog.get_logger()


class Projector:
    """Folds new entries. For one thread of one process; other processes may fold the same site."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._boots = BootFolding(site.journal)
        self._mark = Mark(0)

    def step(self) -> int:
        """Fold a batch; returns its number of entries.

        Raises OperatorFault if the database fails, ContentFault if the journal does.
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
            if self._site.journal.last_id() < mark.id:  # the journal was lost and a new one began
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
        """Fold new entries until `ending`. If database or journal fail, entries wait there."""
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
    """Fold all entries, for a reader of rows without a projector.

    Raises OperatorFault, ContentFault.
    """
    projector = Projector(site)
    while projector.step():
        pass


def run_projector(site: Site) -> None:
    """Run the projector of a site until SIGTERM or SIGINT."""
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _signal, _frame: ending.set())
    Projector(site).run(ending)
