"""Jobs: background work, its progress and its result."""

from flask import Blueprint, Response, send_file, url_for
from flask.typing import ResponseReturnValue

from netboot.operations import jobs as operations
from web.guard.access import Role, requires, site
from web.live.parts import page
from web.responses import done

jobs = Blueprint("jobs", __name__, url_prefix="/jobs")


@jobs.get("/")
@requires(Role.VIEWER)
def index() -> str:
    return page("jobs/index.html", "jobs")


@jobs.get("/<int:job_id>")
@requires(Role.VIEWER)
def show(job_id: int) -> str:
    return page("jobs/show.html", f"job:{job_id}")


@jobs.post("/<int:job_id>/cancel")
@requires(Role.OPERATOR)
def cancel(job_id: int) -> ResponseReturnValue:
    job = operations.cancel(site(), job_id)
    return done(f"Stopping “{job.title}”.", url_for("jobs.show", job_id=job_id))


@jobs.get("/<int:job_id>/screenshot")
@requires(Role.VIEWER)
def screenshot(job_id: int) -> Response:
    return screenshot_of(job_id)


def screenshot_of(job_id: int) -> Response:
    """The screenshot of a job. Raises NotFound if it has none."""
    path = operations.screenshot(site(), job_id)
    response = send_file(path, mimetype="image/png", etag=path.name)
    response.headers["Cache-Control"] = "private, max-age=86400"
    return response
