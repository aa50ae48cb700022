"""The Lab PE over the API: whether it can be made here, and making it."""

from functools import partial

from netboot.operations import lab_pe as operations
from web.api.jobs import Accepted, accepted
from web.api.subject import Subject, Value
from web.api.uploads import FileUpload
from web.guard.access import Role, site
from web.uploads.tus import handed_in

lab_pe = Subject("lab-pe", "The Lab PE: images that start Linux, to try a boot.")


class LabImage(Value):
    """One of its images."""

    name: str
    slug: str
    architecture: str
    served_version: int | None


class LabPe(Value):
    """The Lab PE of this site.

    `missing` are packages that a build from Debian packages lacks on the server; `job` is the
    number of the job that makes it now, or 0.
    """

    images: list[LabImage]
    missing: list[str]
    job: int


class PreparedLabPe(FileUpload):
    """A file that `netboot lab-pe export` wrote, from an upload."""


@lab_pe.verb("GET", "", needs=Role.VIEWER)
def get_lab_pe() -> LabPe:
    """Show the images of the Lab PE, and what is missing to build it."""
    return LabPe.of(operations.lab_pe_state(site()))


@lab_pe.verb("POST", "/build", needs=Role.OPERATOR, status=202, action="build")
def build_lab_pe() -> Accepted:
    """Build the Lab PE from Debian packages. The result is in the job."""
    return accepted(operations.ask_build(site()))


@lab_pe.verb("POST", "/import", needs=Role.OPERATOR, status=202, action="import_file")
def import_lab_pe(body: PreparedLabPe) -> Accepted:
    """Import a prepared Lab PE, for a site without compiler and mirror."""
    return accepted(handed_in(body.upload, partial(operations.ask_import, site())))
