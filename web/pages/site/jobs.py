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


@jobs.post("/<int:job_id>/retry")
@requires(Role.OPERATOR)
def retry(job_id: int) -> ResponseReturnValue:
    """Queue a job again that failed or was cancelled."""
    job = operations.retry(site(), job_id)
    return done(f"“{job.title}” is queued again.", url_for("jobs.show", job_id=job_id))


@jobs.post("/<int:job_id>/dismiss")
@requires(Role.OPERATOR)
def dismiss(job_id: int) -> ResponseReturnValue:
    """A failed job needs no decision any more; it stays in the list of jobs."""
    job = operations.dismiss(site(), job_id)
    return done(f"“{job.title}” dismissed.", url_for("overview.show"))


@jobs.get("/<int:job_id>/screenshot")
@requires(Role.VIEWER)
def screenshot(job_id: int) -> Response:
    return screenshot_of(job_id)


def screenshot_of(job_id: int) -> Response:
    """The screenshot of a job. Raises NotFound if it has none."""
    path = operations.screenshot(site(), job_id)
    is_live = path.suffix == ".png"  # the lab's own file, which changes; others are named by digest
    response = send_file(path, mimetype="image/png", etag=False if is_live else path.name)
    response.headers["Cache-Control"] = "no-store" if is_live else "private, max-age=86400"
    return response
