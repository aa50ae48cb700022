"""Stored content over the API: verification and cleanup."""

from netboot.operations import jobs as work
from web.api.jobs import Job, accepted
from web.api.subject import Subject
from web.guard.access import Role, site

stored = Subject("stored", "Verification and cleanup of stored content. Both also run daily.")


@stored.verb("POST", "/verify", needs=Role.OPERATOR, gives=Job, status=202, action="verify")
def verify_stored() -> tuple[Job, dict[str, str]]:
    """Verify all stored and served files. Changed files are quarantined."""
    return accepted(work.submit(site(), "scrub", {}, title="Verify all stored content"))


@stored.verb("POST", "/clean", needs=Role.ADMIN, gives=Job, status=202, action="clean")
def clean_stored() -> tuple[Job, dict[str, str]]:
    """Delete content that nothing refers to any more."""
    return accepted(work.submit(site(), "clean_up", {}, title="Clean-up"))
