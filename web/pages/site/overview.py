"""The first page: what boots now, what is out of date, what to do next."""

from flask import Blueprint

from web.guard.access import Role, requires
from web.live.parts import page

overview = Blueprint("overview", __name__)


@overview.get("/")
@requires(Role.VIEWER)
def show() -> str:
    """The overview."""
    return page("overview/show.html", "overview")
