"""The Lab PE: what it is for, and making it here."""

from functools import partial

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue

from netboot.operations import lab_pe as operations
from web.guard.access import Role, requires, site
from web.live.parts import page
from web.responses import done, go_to
from web.uploads.tus import handed_in

lab_pe = Blueprint("lab_pe", __name__, url_prefix="/images/import/lab-pe")


@lab_pe.get("/")
@requires(Role.VIEWER)
def show() -> str:
    return page("images/lab_pe.html", state=operations.lab_pe_state(site()))


@lab_pe.post("/build")
@requires(Role.OPERATOR)
def build() -> ResponseReturnValue:
    """Build it from Debian packages."""
    job = operations.ask_build(site())
    return done("The Lab PE is being made.", url_for("lab_pe.show"), job=job)


@lab_pe.post("/import")
@requires(Role.OPERATOR)
def import_file() -> ResponseReturnValue:
    """Import an uploaded file that was prepared on another machine."""
    job = handed_in(request.form.get("upload", ""), partial(operations.ask_import, site()))
    return go_to(url_for("jobs.show", job_id=job.id))
