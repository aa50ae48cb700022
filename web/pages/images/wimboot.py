"""wimboot on a page: which one machines get, and the file that an administrator supplies."""

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user  # type: ignore[import-untyped]

from netboot.operations.images import boot_chain
from web.guard.access import Role, requires, site
from web.live.parts import page
from web.responses import done
from web.uploads.tus import shelf

wimboot = Blueprint("wimboot", __name__, url_prefix="/distribution-points/wimboot")


@wimboot.get("/")
@requires(Role.VIEWER)
def show() -> str:
    """Which wimboot is served, its bytes checked now."""
    return page("points/wimboot.html", served=boot_chain.served_wimboot(site()))


@wimboot.post("/import")
@requires(Role.OPERATOR)
def supply() -> ResponseReturnValue:
    """Serve an uploaded file from now on."""
    upload = shelf().file(request.form.get("upload", ""), owner=current_user.id)
    sha256 = request.form.get("sha256", "").strip()
    made = boot_chain.import_wimboot(site(), upload.path, sha256=sha256)
    return done(f"wimboot is served: {made.size} bytes, {made.digest}.", url_for(".show"))


@wimboot.post("/remove")
@requires(Role.OPERATOR)
def remove() -> ResponseReturnValue:
    """Serve none any more."""
    boot_chain.forget_wimboot(site())
    return done("No wimboot is served any more.", url_for(".show"))
