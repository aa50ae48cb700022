"""Who may do what: every route says its permission, and the application does not start without.

Roles are a ladder (viewer, operator, admin); `public` is for signing in and for the parts that
pages are made of. The check stands on the view function, never on the text of an address.
"""

import functools
import secrets
import time
from collections.abc import Callable
from enum import IntEnum
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, abort, current_app, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import (  # type: ignore[import-untyped]
    LoginManager,
    UserMixin,
    current_user,
    login_user,
    logout_user,
)

from netboot.operations import accounts
from netboot.site import Site

IDLE_SECONDS = 2 * 60 * 60
ABSOLUTE_SECONDS = 12 * 60 * 60


class Role(IntEnum):
    """What an account may do; each role may do all that the one below it may."""

    PUBLIC = 0
    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3

    @staticmethod
    def named(name: str) -> "Role":
        """The role of an account; an unknown name may do nothing."""
        return {"viewer": Role.VIEWER, "operator": Role.OPERATOR, "admin": Role.ADMIN}.get(
            name, Role.PUBLIC
        )


class Person(UserMixin):  # type: ignore[misc]
    """Somebody who is signed in, as Flask-Login wants it."""

    def __init__(self, account: accounts.Account) -> None:
        self.id = account.id
        self.name = account.name
        self.role = Role.named(account.role)


class Sessions:
    """Sessions that ended before their time: a signed cookie alone could not be taken back."""

    def __init__(self) -> None:
        self._ended: dict[str, float] = {}

    def end(self, session_id: str, now: float) -> None:
        """Refuse this session from now on."""
        self._ended = {key: until for key, until in self._ended.items() if until > now}
        self._ended[session_id] = now + ABSOLUTE_SECONDS

    def is_ended(self, session_id: str) -> bool:
        """Whether the session was ended by signing out."""
        return session_id in self._ended


def site() -> Site:
    """The site of this application."""
    found: Site = current_app.extensions["netboot_site"]
    return found


def role_now() -> Role:
    """The role of whoever asks."""
    if not current_user.is_authenticated:
        return Role.PUBLIC
    role: Role = current_user.role
    return role


def requires(role: Role) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare who may call a view."""

    def declare(view: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(view)
        def checked(*args: Any, **kwargs: Any) -> ResponseReturnValue:
            if role is not Role.PUBLIC:
                if not current_user.is_authenticated:
                    return _ask_to_sign_in()
                if role_now() < role:
                    abort(403)
            answer: ResponseReturnValue = view(*args, **kwargs)
            return answer

        checked.permission = role  # type: ignore[attr-defined]
        return checked

    return declare


def _ask_to_sign_in() -> ResponseReturnValue:
    if request.method != "GET" or "text/event-stream" in request.headers.get("Accept", ""):
        abort(401)
    return redirect(url_for("accounts.sign_in_page", next=request.full_path.rstrip("?")), 303)


def check_every_route(app: Flask) -> None:
    """Refuse to start when a view does not say who may call it."""
    open_doors = sorted(
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if not hasattr(app.view_functions[rule.endpoint], "permission")
    )
    if open_doors:
        raise RuntimeError(f"these views declare no permission: {', '.join(open_doors)}")


def is_local_path(target: str) -> bool:
    """Whether a `next` address stays on this site."""
    if not target.startswith("/") or "\\" in target or not target.isprintable():
        return False
    parts = urlsplit(target)
    return not parts.scheme and not parts.netloc and not target.startswith("//")


def begin_session(account: accounts.Account) -> None:
    """Sign somebody in, with a session that has nothing of the one before."""
    session.clear()
    session["id"] = secrets.token_urlsafe(16)
    session["began"] = session["seen"] = time.time()
    session.permanent = True
    login_user(Person(account))


def end_session() -> None:
    """Sign out; the cookie is worth nothing afterwards."""
    sessions: Sessions = current_app.extensions["netboot_sessions"]
    if "id" in session:
        sessions.end(session["id"], time.time())
    logout_user()
    session.clear()


def _load_person(person_id: str) -> Person | None:
    """The signed-in account, unless the session is too old or the account is gone."""
    now = time.time()
    sessions: Sessions = current_app.extensions["netboot_sessions"]
    began, seen = session.get("began", 0.0), session.get("seen", 0.0)
    if now - began > ABSOLUTE_SECONDS or now - seen > IDLE_SECONDS:
        return None
    if sessions.is_ended(session.get("id", "")):
        return None
    if now - seen > 60:  # not on every request: each change sends the cookie again
        session["seen"] = now
    account = accounts.account(site(), int(person_id))
    return Person(account) if account is not None else None


def init_access(app: Flask) -> None:
    """Give the application its sessions and its sign-in."""
    app.extensions["netboot_sessions"] = Sessions()
    app.config.update(
        SESSION_COOKIE_NAME="netboot",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=ABSOLUTE_SECONDS,
    )
    manager = LoginManager(app)
    manager.session_protection = None  # addresses change (DHCP, proxies); the cookie is signed
    manager.user_loader(_load_person)
