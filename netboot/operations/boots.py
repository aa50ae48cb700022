"""What machines did: the journal, folded into attempts."""

from netboot.boot.attempts import Attempt, fold
from netboot.site import Site

EVENTS_PER_ATTEMPT = 40


def attempts(site: Site, limit: int = 50) -> tuple[Attempt, ...]:
    """The newest boots first."""
    entries = site.journal.latest(limit * EVENTS_PER_ATTEMPT)
    ordered = sorted(entries, key=lambda entry: entry.id)
    return fold(entry.event for entry in ordered)[:limit]
