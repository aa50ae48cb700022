"""User accounts and their roles; for administrators."""

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user  # type: ignore[import-untyped]

from netboot.operations.accounts import accounts as operations
from netboot.operations.accounts import audit, lockouts
from netboot.secret import Secret
from web.guard import audit_trail
from web.guard.access import Role, requires, site
from web.guard.edits import merge
from web.live.parts import page
from web.responses import done
from web.show.forms import number

users = Blueprint("users", __name__, url_prefix="/users")

WHAT_ROLES_MAY = {
    "viewer": "can view everything",
    "operator": "can also import, build and update distribution points",
    "admin": "can also delete, and manage users, webhooks and settings",
}


@users.get("/")
@requires(Role.ADMIN)
def index() -> str:
    return page(
        "users/index.html",
        accounts=operations.list_accounts(site()),
        lockouts=lockouts.list_lockouts(site()),
        roles=WHAT_ROLES_MAY,
        shortest=operations.SHORTEST_PASSWORD,
    )


@users.get("/<name>")
@requires(Role.ADMIN)
def show(name: str) -> str:
    account = operations.get_account(site(), name)
    return page(
        "users/show.html",
        account=account,
        roles=WHAT_ROLES_MAY,
        shortest=operations.SHORTEST_PASSWORD,
        entries=audit.entries(site(), actor=account.name, limit=20),
        is_self=account.id == current_user.id,
        lockouts=lockouts.lockouts_of(lockouts.list_lockouts(site()), account.name),
    )


@users.post("/")
@requires(Role.ADMIN)
def create() -> ResponseReturnValue:
    form = request.form
    made = operations.create_account(
        site(), form.get("name", ""), Secret(form.get("password", "")), form.get("role", "")
    )
    return done(f"User {made.name} ({made.role}) created.", url_for("users.index"))


@users.post("/<name>/change")
@requires(Role.ADMIN)
def change(name: str) -> ResponseReturnValue:
    """Change the role or disable the account, unless another user changed it in the meantime."""
    number("row_version")
    before = operations.get_account(site(), name)
    now = {"role": before.role, "disabled": "yes" if before.disabled else ""}
    labels = {"role": "Role", "disabled": "Disabled"}
    edit = merge(labels, now, version=before.row_version, boxes=("disabled",))
    account = operations.change_account(
        site(),
        name,
        role=edit.values.get("role") or None,
        disabled=edit.values["disabled"] == "yes",
        row_version=before.row_version,
    )
    state = "is disabled" if account.disabled else f"now has the role {account.role}"
    words = f"{account.name} {state}.{edit.words}"
    return done(words, url_for("users.show", name=account.name))


@users.post("/<name>/password")
@requires(Role.ADMIN)
def set_password(name: str) -> ResponseReturnValue:
    """Set a new password; sessions and tokens of the account end."""
    account = operations.set_password(site(), name, Secret(request.form.get("password", "")))
    return done(f"New password set for {account.name}.", url_for("users.show", name=account.name))


@users.post("/<name>/unlock")
@requires(Role.ADMIN)
def unlock(name: str) -> ResponseReturnValue:
    """End the lock-outs after failed attempts to sign in."""
    ended = lockouts.unlock(site(), name)
    audit_trail.about(f"accounts/{name}", addresses=[one.address for one in ended])
    words = f"{name} can sign in again." if ended else f"{name} was not locked out."
    return done(words, url_for("users.index"))


@users.post("/<name>/delete")
@requires(Role.ADMIN)
def delete(name: str) -> ResponseReturnValue:
    operations.delete_account(site(), name)
    return done(f"{name} deleted.", url_for("users.index"))
