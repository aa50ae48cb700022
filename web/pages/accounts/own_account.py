"""Your account: password, where you are signed in, API tokens."""

import time
from datetime import UTC, datetime

from flask import Blueprint, g, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user  # type: ignore[import-untyped]

from netboot.access import SCOPES
from netboot.errors import InvalidInput, NotPermitted
from netboot.operations.accounts import accounts, sessions, tokens
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
    "operate": "import, build, update points",
    "administer": "everything that an administrator may",
}


def browser_name(agent: str) -> str:
    """What a User-Agent says that it is, in two words; the whole stands beside it."""
    browser = next((name for mark, name in BROWSERS if mark in agent), agent[:40] or "unknown")
    system = next((name for mark, name in SYSTEMS if mark in agent), "")
    return f"{browser} on {system}" if system else browser


def day(seconds: float) -> str:
    """A day that lies ahead."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


def _whose() -> str:
    return f"password:{current_user.get_id()}"


def _guessed(_response: object) -> bool:
    return bool(g.get("wrong_password"))


@own_account.get("/")
@requires(Role.VIEWER)
def show() -> str:
    """The account of whoever asks."""
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
    """Make sure that whoever asks knows the account's password. Raises InvalidInput.

    Pages and API share the limit of wrong ones.
    """
    if accounts.authenticate(site(), current_user.name, old[:1000]) is None:
        g.wrong_password = True
        raise InvalidInput("that is not your password", hint="Type the one you sign in with.")


def the_whole_account() -> None:
    """Refuse a token that may do less than its account: it must not get more that way.

    Raises NotPermitted.
    """
    if role_now() < Role.named(current_user.account.role):
        raise NotPermitted(
            "this token's scope is less than what its account may do",
            hint="Sign in on the page, or use a token of the whole scope.",
        )


@own_account.post("/password", endpoint="set_password")
@requires(Role.VIEWER)
def set_password() -> ResponseReturnValue:
    """Another password, against the old one; everywhere else the account is signed out."""
    form = request.form
    if form.get("password") != form.get("again"):
        raise InvalidInput("the two passwords are not the same")
    require_password(form.get("old_password", ""))
    accounts.set_password(
        site(),
        current_user.name,
        form.get("password", ""),
        keep_session=session_digest(),
        keep_tokens=True,
    )
    return done("Your password was changed.", url_for("own_account.show"))


@own_account.post("/sessions/<handle>/end")
@requires(Role.VIEWER)
def end_session(handle: str) -> ResponseReturnValue:
    """Sign out another browser."""
    sessions.end_one(site(), current_user.id, handle)
    return done("That browser is signed out.", url_for("own_account.show"))


@own_account.post("/tokens")
@requires(Role.VIEWER)
def create_token() -> ResponseReturnValue:
    """Make an API token; its text is shown in this answer and never again."""
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
    """Make a token worth nothing."""
    tokens.revoke_token(site(), current_user.id, token_id)
    return done("The token opens nothing any more.", url_for("own_account.show"))
