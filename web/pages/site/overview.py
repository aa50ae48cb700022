"""The overview: current boots, outdated boot images, next steps."""

from flask import Blueprint

from web.guard.access import Role, requires
from web.live.parts import page

overview = Blueprint("overview", __name__)


@overview.get("/")
@requires(Role.VIEWER)
def show() -> str:
    return page("overview/show.html", "overview")
