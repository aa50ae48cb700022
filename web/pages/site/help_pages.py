"""The documentation under Help: files that Sphinx has built, for everyone who is signed in.

They keep the console's content security policy: scripts and styles are files, and nothing is loaded
from elsewhere. They hold nothing of this site, so browsers may keep copies.
"""

import os
from pathlib import Path, PurePosixPath

from flask import Blueprint, Flask, Response, abort, request, send_from_directory, url_for
from flask.typing import ResponseReturnValue

from web.guard.access import Role, requires
from web.live.parts import page

WEB = Path(__file__).resolve().parents[2]
PLACES = (WEB / "help", WEB.parent / "build" / "help")
"""Where the pages are: next to this code in an installed system, in build/ of a checkout."""

VARIABLE = "NETBOOT_HELP"
"""The variable that names another folder."""

TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".json": "application/json",
    ".yml": "application/yaml",
}
"""What is served, by the end of its name."""

FOR_EVER = "private, max-age=31536000, immutable"
ASK_AGAIN = "private, no-cache"

help_pages = Blueprint("help_pages", __name__, url_prefix="/help")


@help_pages.get("/")
@help_pages.get("/<path:name>")
@requires(Role.VIEWER)
def show(name: str = "index.html") -> ResponseReturnValue:
    """One file. A name that leads out of the folder is not found."""
    folder = help_folder()
    if folder is None:
        return page("help/not_built.html"), 404
    kind = TYPES.get(PurePosixPath(name).suffix)
    if kind is None:
        abort(404)
    response: Response = send_from_directory(folder, name, mimetype=kind)
    # Sphinx puts a checksum of the content into the addresses of scripts and styles.
    response.headers["Cache-Control"] = FOR_EVER if "v" in request.args else ASK_AGAIN
    return response


def help_folder() -> Path | None:
    """The folder with the pages; None if they are not built."""
    named = os.environ.get(VARIABLE)
    places = (Path(named),) if named else PLACES
    return next((one for one in places if (one / "index.html").is_file()), None)


def help_url(topic: str = "") -> str:
    """The address of a page of Help, like `network` or `network#relays`; empty: the first page."""
    name, _, anchor = topic.partition("#")
    if not name:
        return url_for("help_pages.show")
    return url_for("help_pages.show", name=f"{name}.html", _anchor=anchor or None)


def init_help(app: Flask) -> None:
    app.register_blueprint(help_pages)
    app.jinja_env.globals["help_url"] = help_url
