"""Settings of the site: everyone can see them, administrators can change them."""

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue

from netboot.operations import settings as operations
from web.guard.access import Role, requires, site
from web.guard.audit_trail import AS_READ
from web.live.parts import page
from web.responses import done

settings = Blueprint("settings", __name__, url_prefix="/settings")


@settings.get("/")
@requires(Role.VIEWER)
def index() -> str:
    return page("settings/index.html", shown=operations.read_settings(site()))


@settings.post("/", endpoint="change")
@requires(Role.ADMIN)
def change() -> ResponseReturnValue:
    fields = request.form.to_dict()
    etag = fields.pop("etag", None)
    fields.pop("csrf_token", None)
    base = {
        name.removeprefix(AS_READ): fields.pop(name)
        for name in list(fields)
        if name.startswith(AS_READ)
    }
    operations.change_settings(site(), fields, etag=etag, base=base)
    return done("Settings saved. They take effect after a restart.", url_for(".index"))
