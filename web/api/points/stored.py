"""What is stored, over the API: read again byte by byte, and cleaned up."""

from netboot.operations.points import cleanup as housekeeping
from netboot.operations.points import scrub as guarding
from web.api.jobs import Job, accepted
from web.api.subject import Subject
from web.guard.access import Role, site

stored = Subject("stored", "All that is stored: read again, and cleaned up. Both happen daily.")


@stored.verb("POST", "/verify", needs=Role.OPERATOR, gives=Job, status=202, action="verify")
def verify_stored() -> tuple[Job, dict[str, str]]:
    """Read every byte that is stored or served; what is altered goes out of service."""
    return accepted(guarding.ask_scrub(site()))


@stored.verb("POST", "/clean", needs=Role.ADMIN, gives=Job, status=202, action="clean")
def clean_stored() -> tuple[Job, dict[str, str]]:
    """Delete what nothing refers to any more."""
    return accepted(housekeeping.ask_clean(site()))
