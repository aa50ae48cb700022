"""Tells the site of boot events that a process cannot write."""

from netboot.operations.processes import OwnReport
from netboot.serve.udp import Loop
from netboot.store.boots.journal import Journal

LOOK_SECONDS = 2.0


def watch_journal(loop: Loop, journal: Journal, report: OwnReport) -> None:
    """Look at the journal of this process now and then, and report lost events and why."""

    def look(_now: float) -> None:
        reason = journal.trouble
        report.lost(journal.dropped)
        report.trouble("journal", f"boot events cannot be written ({reason})" if reason else "")

    loop.every(LOOK_SECONDS, look)
