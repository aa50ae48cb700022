"""What is stored, over the API: read again byte by byte, and cleaned up."""

from netboot.operations import jobs as work
from web.api.jobs import Job, accepted
from web.api.subject import Subject
from web.guard.access import Role, site

stored = Subject("stored", "All that is stored: read again, and cleaned up. Both happen daily.")


@stored.verb("POST", "/verify", needs=Role.OPERATOR, gives=Job, status=202, action="verify")
def verify_stored() -> tuple[Job, dict[str, str]]:
    """Read every byte that is stored or served; what is altered goes out of service."""
    return accepted(work.submit(site(), "scrub", {}, title="Check of all stored images"))


@stored.verb("POST", "/clean", needs=Role.ADMIN, gives=Job, status=202, action="clean")
def clean_stored() -> tuple[Job, dict[str, str]]:
    """Let go of what nothing names any more."""
    return accepted(work.submit(site(), "clean_up", {}, title="Clean-up"))
