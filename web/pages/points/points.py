"""Distribution points: which version each holds."""

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
    """All points with all images."""
    return page("points/index.html", "points")


@points.post("/altered/delete")
@requires(Role.ADMIN)
def delete_altered() -> ResponseReturnValue:
    """Delete damaged bytes that were set aside: those of a digest, or all."""
    digest = request.form.get("digest", "")
    if not digest and request.form.get("all") != "yes":
        raise InvalidInput("say which damaged bytes")
    gone = altered.delete_altered(site(), digest)
    words = "file of damaged bytes is" if gone.files == 1 else "files of damaged bytes are"
    return done(f"{gone.files} {words} gone.", url_for(".index"))
