"""The user's own account: password, sessions, API tokens."""

import time
from datetime import UTC, datetime

from flask import Blueprint, g, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user  # type: ignore[import-untyped]

from netboot.access import SCOPES
from netboot.errors import InvalidInput, NotPermitted
from netboot.operations.accounts import accounts, sessions, tokens
from netboot.secret import Secret
from web.guard.access import Role, requires, role_now, session_digest, site
from web.guard.request_safety import limiter
from web.live.parts import page
from web.responses import done, wants_fragment

own_account = Blueprint("own_account", __name__, url_prefix="/account")

WRONG_PASSWORDS = "5 per 15 minutes"  # a limit
LIVES = (7, 30, 90, 365)
# The first mark that fits counts: each browser names those before it, too.
BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
)
SYSTEMS = (
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iPhone", "iOS"),
    ("iPad", "iOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)
SCOPE_WORDS = {
    "read": "read everything",
    "operate": "import, build, update distribution points",
    "administer": "everything an administrator can do",
}


def browser_name(agent: str) -> str:
    """Browser and system from a User-Agent; the page shows the full text as a tooltip."""
    browser = next((name for mark, name in BROWSERS if mark in agent), agent[:40] or "unknown")
    system = next((name for mark, name in SYSTEMS if mark in agent), "")
    return f"{browser} on {system}" if system else browser


def day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


def _whose() -> str:
    return f"password:{current_user.get_id()}"


def _guessed(_response: object) -> bool:
    return bool(g.get("wrong_password"))


@own_account.get("/")
@requires(Role.VIEWER)
def show() -> str:
    return page(
        "account/show.html",
        account=current_user.account,
        sessions=sessions.list_sessions(site(), current_user.id, now=time.time()),
        this_session=sessions.handle_of(session_digest()) if session_digest() else "",
        tokens=tokens.list_tokens(site(), current_user.id),
        now=time.time(),
        lives=LIVES,
        scopes={
            scope: words
            for scope, words in SCOPE_WORDS.items()
            if Role.named(SCOPES[scope]) <= role_now()
        },
        shortest=accounts.SHORTEST_PASSWORD,
        browser_name=browser_name,
        day=day,
    )


@limiter.shared_limit(WRONG_PASSWORDS, scope="own password", key_func=_whose, deduct_when=_guessed)
def require_password(old: str) -> None:
    """Check the password of the current user. Raises InvalidInput.

    Pages and API share the limit on attempts.
    """
    if accounts.authenticate(site(), current_user.name, old[:1000]) is None:
        g.wrong_password = True
        raise InvalidInput(
            "the current password is incorrect", hint="Enter the password you sign in with."
        )


def the_whole_account() -> None:
    """Refuse a token with fewer permissions than its account, so that it cannot gain more.

    Raises NotPermitted.
    """
    if role_now() < Role.named(current_user.account.role):
        raise NotPermitted(
            "this token has fewer permissions than its account",
            hint="Sign in to the console, or use a token with full permissions.",
        )


@own_account.post("/password", endpoint="set_password")
@requires(Role.VIEWER)
def set_password() -> ResponseReturnValue:
    """Change the password with the current one; all other sessions of the account end."""
    form = request.form
    if form.get("password") != form.get("again"):
        raise InvalidInput("the two passwords do not match")
    require_password(form.get("old_password", ""))
    accounts.set_password(
        site(),
        current_user.name,
        Secret(form.get("password", "")),
        keep_session=session_digest(),
        keep_tokens=True,
    )
    return done("Password changed.", url_for("own_account.show"))


@own_account.post("/sessions/<handle>/end")
@requires(Role.VIEWER)
def end_session(handle: str) -> ResponseReturnValue:
    sessions.end_one(site(), current_user.id, handle)
    return done("Session ended.", url_for("own_account.show"))


@own_account.post("/tokens")
@requires(Role.VIEWER)
def create_token() -> ResponseReturnValue:
    """Create an API token; its text is shown only in this answer."""
    days = request.form.get("days", "90")
    made, text = tokens.create_token(
        site(),
        current_user.account,
        request.form.get("name", ""),
        scope=request.form.get("scope", ""),
        days=int(days) if days.isdecimal() and len(days) < 6 else 0,
        at_most=role_now().name.lower(),
    )
    if wants_fragment():
        return render_template("account/_token.html", token=made, text=text, day=day), 201
    return page("account/token.html", token=made, text=text, day=day), 201


@own_account.post("/tokens/<int:token_id>/revoke")
@requires(Role.VIEWER)
def revoke_token(token_id: int) -> ResponseReturnValue:
    tokens.revoke_token(site(), current_user.id, token_id)
    return done("Token revoked.", url_for("own_account.show"))
