"""Permissions: every route declares who may call it, or the application does not start.

Roles are a ladder (viewer, operator, admin); `public` is for signing in and for static files. The
check is on the view function, never on the text of a URL. A browser signs in with a session, a
script with an API token; if a request has both, the token counts.
"""

import functools
import time
from collections.abc import Callable
from enum import IntEnum
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Request, abort, current_app, g, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import (  # type: ignore[import-untyped]
    LoginManager,
    UserMixin,
    current_user,
    login_user,
    logout_user,
)

from netboot.access import ROLES
from netboot.operations.accounts import accounts, sessions, tokens
from netboot.operations.accounts.sessions import ABSOLUTE_SECONDS
from netboot.site import Site

BEARER = "bearer "
FOR_SCRIPTS = ("/api/", "/metrics")
"""Addresses for scripts: they get 401 instead of the sign-in page."""


class Role(IntEnum):
    """An account's permissions; each role includes those of the role below it."""

    PUBLIC = 0
    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3

    @staticmethod
    def named(name: str) -> "Role":
        """The role with this name; an unknown name has no permissions."""
        return Role[name.upper()] if name in ROLES else Role.PUBLIC


class Person(UserMixin):  # type: ignore[misc]
    """A signed-in account for Flask-Login; `token` is empty in a session."""

    def __init__(self, account: accounts.Account, role: str = "", token: str = "") -> None:
        self.id = account.id
        self.name = account.name
        self.account = account
        self.role = Role.named(role or account.role)
        self.token = token


def site() -> Site:
    found: Site = current_app.extensions["netboot_site"]
    return found


def role_now() -> Role:
    """The role of the current caller."""
    if not current_user.is_authenticated:
        return Role.PUBLIC
    role: Role = current_user.role
    return role


def requires(role: Role) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare who may call a view."""

    def declare(view: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(view)
        def checked(*args: Any, **kwargs: Any) -> ResponseReturnValue:
            refusal = refuse_below(role)
            if refusal is not None:
                return refusal
            answer: ResponseReturnValue = view(*args, **kwargs)
            return answer

        checked.permission = role  # type: ignore[attr-defined]
        return checked

    return declare


def refuse_below(role: Role) -> ResponseReturnValue | None:
    """Abort with 403, or return the sign-in response; None if the caller is allowed."""
    if role is not Role.PUBLIC:
        if not current_user.is_authenticated:
            return _ask_to_sign_in()
        if role_now() < role:
            abort(403)
    return None


def asks_as_script() -> bool:
    """Whether the caller is a program, which gets problem details instead of pages."""
    return request.path.startswith(FOR_SCRIPTS) or has_bearer(request)


def has_bearer(asked: Request) -> bool:
    return asked.headers.get("Authorization", "").lower().startswith(BEARER)


def _ask_to_sign_in() -> ResponseReturnValue:
    streams = "text/event-stream" in request.headers.get("Accept", "")
    if request.method != "GET" or streams or asks_as_script():
        abort(401)
    return redirect(url_for("accounts.sign_in_page", next=request.full_path.rstrip("?")), 303)


def check_every_route(app: Flask) -> None:
    """Refuse to start if a view does not declare a permission."""
    open_doors = sorted(
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if not hasattr(app.view_functions[rule.endpoint], "permission")
    )
    if open_doors:
        raise RuntimeError(f"these views do not declare a permission: {', '.join(open_doors)}")


def is_local_path(target: str) -> bool:
    """Whether a `next` address stays on this site."""
    if not target.startswith("/") or "\\" in target or not target.isprintable():
        return False
    parts = urlsplit(target)
    return not parts.scheme and not parts.netloc and not target.startswith("//")


def begin_session(account: accounts.Account) -> None:
    """Sign an account in, with a session that keeps nothing of the previous one."""
    session.clear()
    session["id"] = sessions.begin(
        site(),
        account.id,
        now=time.time(),
        address=request.remote_addr or "",
        browser=request.headers.get("User-Agent", ""),
    )
    session.permanent = True
    login_user(Person(account))


def end_session() -> None:
    """Sign out; the cookie is invalid afterwards."""
    if "id" in session:
        sessions.end(site(), str(session["id"]))
    logout_user()
    session.clear()


def session_digest() -> str:
    """The digest of this browser's session; empty for a script."""
    return sessions.digest_of(str(session["id"])) if "id" in session else ""


def answer_anyone() -> None:
    """Do not ask the database who the caller is: Flask-Login does for each template.

    For the page that tells that the database cannot be read.
    """
    g.answers_anyone = True


def still_allowed() -> Callable[[], bool]:
    """A function for long answers: whether their caller still has permission."""
    own_site, role = site(), role_now()
    secret, authorization = str(session.get("id", "")), request.headers.get("Authorization", "")

    def allowed() -> bool:
        person = _person(own_site, secret, authorization)
        return person is not None and person.role == role

    return allowed


def _person(own_site: Site, secret: str, authorization: str) -> Person | None:
    """The account of a session or token, if it still exists."""
    if authorization.lower().startswith(BEARER):
        found = tokens.bearer(own_site, authorization[len(BEARER) :].strip(), now=time.time())
        return Person(found.account, found.role, found.handle) if found else None
    account = sessions.resume(own_site, secret, now=time.time()) if secret else None
    return Person(account) if account is not None else None


def _load_person(person_id: str) -> Person | None:
    """The signed-in account, unless the session is over or a token is used instead."""
    if has_bearer(request) or "answers_anyone" in g:
        return None
    person = _person(site(), str(session.get("id", "")), "")
    return person if person is not None and str(person.id) == person_id else None


def _load_bearer(asked: Request) -> Person | None:
    return _person(site(), "", asked.headers.get("Authorization", ""))


def init_access(app: Flask, *, secure: bool) -> None:
    """Set up sessions and sign-in; `secure` if the console uses TLS."""
    app.config.update(
        SESSION_COOKIE_NAME="netboot",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SECURE=secure,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=ABSOLUTE_SECONDS,
        SESSION_REFRESH_EACH_REQUEST=False,  # it ends then, however much it is used
    )
    manager = LoginManager(app)
    manager.session_protection = None  # addresses change (DHCP, proxies); the secret is enough
    manager.user_loader(_load_person)
    manager.request_loader(_load_bearer)
