"""User accounts and their roles; for administrators."""

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user  # type: ignore[import-untyped]

from netboot.operations.accounts import accounts as operations
from netboot.operations.accounts import audit
from netboot.secret import Secret
from web.guard.access import Role, requires, site
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
    account = operations.change_account(
        site(),
        name,
        role=request.form.get("role") or None,
        disabled=request.form.get("disabled") == "yes",
        row_version=number("row_version"),
    )
    state = "is disabled" if account.disabled else f"now has the role {account.role}"
    return done(f"{account.name} {state}.", url_for("users.show", name=account.name))


@users.post("/<name>/password")
@requires(Role.ADMIN)
def set_password(name: str) -> ResponseReturnValue:
    """Set a new password; sessions and tokens of the account end."""
    account = operations.set_password(site(), name, Secret(request.form.get("password", "")))
    return done(f"New password set for {account.name}.", url_for("users.show", name=account.name))


@users.post("/<name>/delete")
@requires(Role.ADMIN)
def delete(name: str) -> ResponseReturnValue:
    operations.delete_account(site(), name)
    return done(f"{name} deleted.", url_for("users.index"))
