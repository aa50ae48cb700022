"""Stored content over the API: verification and cleanup."""

from netboot.operations.points import cleanup as housekeeping
from netboot.operations.points import scrub as guarding
from web.api.jobs import Accepted, accepted
from web.api.subject import Subject
from web.guard.access import Role, site

stored = Subject("stored", "Verification and cleanup of stored content. Both also run daily.")


@stored.verb("POST", "/verify", needs=Role.OPERATOR, status=202, action="verify")
def verify_stored() -> Accepted:
    """Verify all stored and served files. Changed files are quarantined."""
    return accepted(guarding.ask_scrub(site()))


@stored.verb("POST", "/clean", needs=Role.ADMIN, status=202, action="clean")
def clean_stored() -> Accepted:
    """Delete content that nothing refers to any more."""
    return accepted(housekeeping.ask_clean(site()))
