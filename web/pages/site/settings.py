"""Settings of the site: everyone can see them, administrators can change them."""

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue

from netboot.errors import InvalidInput
from netboot.interfaces import all_addresses, interface_names
from netboot.operations import settings as operations
from netboot.operations.backups import making
from web.guard.access import Role, requires, site
from web.guard.audit_trail import AS_READ
from web.guard.edits import merge
from web.live.parts import page
from web.responses import done

settings = Blueprint("settings", __name__, url_prefix="/settings")


@settings.get("/")
@requires(Role.VIEWER)
def index() -> str:
    """All settings in groups; interfaces and addresses of this server are suggested."""
    return page(
        "settings/index.html",
        shown=operations.read_settings(site()),
        backup=making.backup_state(site()),
        suggested={"interface": interface_names(), "address": all_addresses()},
    )


@settings.post("/backup")
@requires(Role.ADMIN)
def back_up() -> ResponseReturnValue:
    """Start a backup into the folder of the settings."""
    incremental = request.form.get("full") != "yes"
    job = making.ask_backup(site(), incremental=incremental)
    return done("Backup started.", url_for(".index"), job=job)


@settings.post("/", endpoint="change")
@requires(Role.ADMIN)
def change() -> ResponseReturnValue:
    """Write settings; another user's changes to other settings are kept."""
    own = {"etag", "csrf_token"}
    shown = operations.read_settings(site())
    now = {setting.name: setting.text for setting in shown.settings}
    sent = {name: name for name in request.form if name not in own and not name.startswith(AS_READ)}
    if unknown := [name for name in sent if name not in now]:
        raise InvalidInput(f"there is no setting {unknown[0][:40]!r}")
    secrets = operations.SECRETS
    edit = merge(sent, now, version=shown.etag, field="etag", secrets=secrets)
    usual = {setting.name: setting.default for setting in shown.settings}
    # The default is not written down: it may change with a later netboot.
    texts = {name: "" if text == usual[name] else text for name, text in edit.values.items()}
    operations.change_settings(site(), texts, etag=shown.etag)
    words = f"Settings saved. They take effect after a restart.{edit.words}"
    return done(words, url_for(".index"))
