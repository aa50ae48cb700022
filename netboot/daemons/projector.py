"""The projector: folds the journal into rows of boots, machines and webhook messages.

Pages read only rows, so they show an event as soon as it is folded. Each batch is folded in one
transaction together with the mark (netboot.store.boots.journal_mark): several processes may fold at
the same time, and a crash loses nothing.

An entry that netboot fails on (a bug, or an event of another release) is set aside: it stays in the
journal, is counted, logged and shown, and the entries after it are folded. One odd entry must not
hide all boots that follow.
"""

import signal
import threading
import time
from functools import partial

import structlog
from sqlalchemy.orm import Session

from netboot.daemons.keep_at import keep_at
from netboot.daemons.starting.service_manager import service_manager
from netboot.operations.accounts import happenings
from netboot.operations.processes import OwnReport
from netboot.site import Site
from netboot.store.boots import journal_mark
from netboot.store.boots import machines as machine_rows
from netboot.store.boots.folding import ODD, BootFolding
from netboot.store.boots.journal import Entry
from netboot.store.boots.journal_mark import Mark

BATCH = 500
"""Entries in a transaction: other writers wait no longer than it takes."""

BREATH_SECONDS = 0.1
"""Pause between batches, so that a boot storm does not cause a commit for every event."""

LOOK_SECONDS = 0.5
"""Between looks for changes and finished jobs, which are not in the journal."""

log = structlog.get_logger()


class Projector:
    """Folds new entries. For one thread of one process; other processes may fold the same site."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._boots = BootFolding(site.journal)
        self._mark = Mark(0)
        self._singly = 0
        self._tried: list[Entry] = []

    def step(self) -> int:
        """Fold a batch; returns its number of entries.

        Raises DatabaseFault if the database fails, ContentFault if the journal does.
        """
        newest = self._site.journal.last_id()
        with self._site.database.transaction() as session:
            mark = journal_mark.read(session)
            if mark is not None and mark.id == newest and not happenings.has_news(session):
                self._mark = mark
                return 0
        if self._singly:
            self._singly -= 1
            return self._fold_one(newest)
        try:
            return len(self._fold(newest, BATCH))
        except ODD as bug:  # found entry by entry, and told there
            log.warning("projector.looks_for_the_entry", error=type(bug).__name__)
            self._singly = BATCH
            return self._fold_one(newest)

    def rest(self) -> float:
        """A step, and a wait for entries if there were none; returns the pause before the next."""
        folded = self.step()
        if folded == 0:
            self._site.journal.wait_for_change(self._mark.id, LOOK_SECONDS)
        return BREATH_SECONDS if 0 < folded < BATCH and not self._singly else 0.0

    def _fold_one(self, newest: int) -> int:
        """Fold the next entry, or set it aside if it is the cause of an error."""
        try:
            return len(self._fold(newest, 1))
        except ODD as bug:
            self._fold(newest, 0)  # raises if the entry is not the cause
            entry = self._set_aside(bug)
            if entry is not None:
                log.exception("projector.set_aside", entry=entry.id, kind=entry.event.kind)
            return 1

    def _fold(self, newest: int, most: int) -> list[Entry]:
        with self._site.database.writing() as session:
            now = time.time()
            mark = self._marked(session, newest)
            entries = self._site.journal.events_since(mark.id, most)
            self._tried = entries or self._tried
            self._boots.fold(entries, session, mark=mark.id)
            machine_rows.fold((one for one in entries if one.id > mark.machines), session)
            happenings.fold((one for one in entries if one.id > mark.webhooks), session, now=now)
            happenings.collect(session, now=now)
            mark = mark.moved(entries[-1].id if entries else mark.id)
            journal_mark.write(session, mark)
        self._mark = mark
        return entries

    def _marked(self, session: Session, newest: int) -> Mark:
        mark = journal_mark.read(session) or journal_mark.first(session, newest)
        # Smaller than the mark: the journal was lost and a new one began.
        return Mark(0) if self._site.journal.last_id() < mark.id else mark

    def _set_aside(self, bug: Exception) -> Entry | None:
        """Move the mark past the entry that was tried, and note that it is in no row."""
        with self._site.database.writing() as session:
            mark = self._marked(session, self._site.journal.last_id())
            (entry,) = self._tried
            if self._site.journal.events_since(mark.id, 1)[:1] != [entry]:
                return None  # another process has folded it
            journal_mark.set_aside(session, entry, reason=type(bug).__name__)
            mark = mark.moved(entry.id)
            journal_mark.write(session, mark)
        self._mark = mark
        return entry


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
    project(site, ending)


def project(site: Site, ending: threading.Event) -> None:
    """Fold new entries until `ending`. If database or journal fail, entries wait there."""
    report = OwnReport("projector")
    projector = Projector(site)
    manager = service_manager()

    def step() -> float:
        manager.alive()  # before it: a step that fails is tried again, and is not stuck
        return projector.rest()

    report.ready()
    manager.ready("follows the journal")
    keep_at(step, ending, what="projector", trouble=partial(report.trouble, "journal"))
