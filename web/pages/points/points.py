"""Distribution points, the version of each boot image there, and quarantined files."""

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue

from netboot.errors import InvalidInput
from netboot.operations.points import quarantine as altered
from web.guard.access import Role, requires, site
from web.live.parts import page
from web.responses import done

points = Blueprint("points", __name__, url_prefix="/distribution-points")


@points.get("/")
@requires(Role.VIEWER)
def index() -> str:
    return page("points/index.html", "points")


@points.post("/altered/delete")
@requires(Role.ADMIN)
def delete_altered() -> ResponseReturnValue:
    """Delete quarantined files: those of a digest, or all."""
    digest = request.form.get("digest", "")
    if not digest and request.form.get("all") != "yes":
        raise InvalidInput("select the quarantined files to delete")
    gone = altered.delete_altered(site(), digest)
    words = "quarantined file" if gone.files == 1 else "quarantined files"
    return done(f"{gone.files} {words} deleted.", url_for(".index"))
