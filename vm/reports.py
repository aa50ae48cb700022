"""The reports that reached the site, read from its journal: the server's side of the evidence."""

import time
from collections.abc import Collection

from netboot.boot.told.events import PeReported
from netboot.store.boots.journal import Journal
from vm.verdict import Report

# From the answer to the machine until the event is on disk; it never takes so long.
_PATIENCE_SECONDS = 10.0


class JournalReports:
    """Reports since this object was made: make it before the machine is switched on."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._after = journal.last_id()

    def arrived(self, macs: Collection[str], *, expected: bool) -> tuple[Report, ...]:
        """The new reports from these addresses; waits a while if one is `expected`."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        found = self._look(macs)
        while expected and not found:
            left = deadline - time.monotonic()
            if left <= 0 or not self._journal.wait_for_change(self._after, left):
                break
            found = self._look(macs)
        return found

    def _look(self, macs: Collection[str]) -> tuple[Report, ...]:
        entries = []
        while fresh := self._journal.events_since(self._after):
            self._after = fresh[-1].id
            entries += fresh
        return tuple(
            Report(
                mac=event.mac,
                image=event.image,
                version=event.version,
                driver=event.driver,
                device=event.device,
            )
            for entry in entries
            if isinstance(event := entry.event, PeReported) and event.mac in macs
        )
