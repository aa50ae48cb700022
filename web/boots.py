"""Boots: what machines do now, and the story of one boot."""

from flask import Blueprint

from web.access import Role, requires
from web.topics import page

boots = Blueprint("boots", __name__, url_prefix="/boots")


@boots.get("/")
@requires(Role.VIEWER)
def index() -> str:
    """The newest boots, live."""
    return page("boots/index.html", "boots")


@boots.get("/<boot_id>")
@requires(Role.VIEWER)
def show(boot_id: str) -> str:
    """One boot, live."""
    return page("boots/show.html", f"boot:{boot_id}")
