"""The wimboot file: the current one, and the import of another."""

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
    """The current wimboot file, verified now."""
    return page("points/wimboot.html", served=boot_chain.served_wimboot(site()))


@wimboot.post("/import")
@requires(Role.OPERATOR)
def supply() -> ResponseReturnValue:
    upload = shelf().file(request.form.get("upload", ""), owner=current_user.id)
    sha256 = request.form.get("sha256", "").strip()
    made = boot_chain.import_wimboot(site(), upload.path, sha256=sha256)
    return done(f"wimboot imported: {made.size} bytes, {made.digest}.", url_for(".show"))


@wimboot.post("/remove")
@requires(Role.OPERATOR)
def remove() -> ResponseReturnValue:
    """Stop serving wimboot, if its name was typed."""
    boot_chain.forget_wimboot(site(), typed=request.form.get("typed", ""))
    return done("wimboot removed.", url_for(".show"))
