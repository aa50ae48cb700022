"""Distribution points: which version each holds."""

from flask import Blueprint

from web.access import Role, requires
from web.topics import page

points = Blueprint("points", __name__, url_prefix="/distribution-points")


@points.get("/")
@requires(Role.VIEWER)
def index() -> str:
    """All points with all images."""
    return page("points/index.html", "points")
