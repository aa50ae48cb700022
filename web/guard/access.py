"""Who may do what: every route says its permission, and the application does not start without.

Roles are a ladder (viewer, operator, admin); `public` is for signing in and for the parts that
pages are made of. The check stands on the view function, never on the text of an address.
A browser signs in with a session, a script with an API token; where both come, the token counts.
"""

import functools
import time
from collections.abc import Callable
from enum import IntEnum
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Request, abort, current_app, redirect, request, session, url_for
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
"""Where scripts ask: they are told 401, not led to a page."""


class Role(IntEnum):
    """What an account may do; each role may do all that the one below it may."""

    PUBLIC = 0
    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3

    @staticmethod
    def named(name: str) -> "Role":
        """The role of an account; an unknown name may do nothing."""
        return Role[name.upper()] if name in ROLES else Role.PUBLIC


class Person(UserMixin):  # type: ignore[misc]
    """Somebody who is signed in, as Flask-Login wants it; `token` is empty in a session."""

    def __init__(self, account: accounts.Account, role: str = "", token: str = "") -> None:
        self.id = account.id
        self.name = account.name
        self.account = account
        self.role = Role.named(role or account.role)
        self.token = token


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
            refusal = refuse_below(role)
            if refusal is not None:
                return refusal
            answer: ResponseReturnValue = view(*args, **kwargs)
            return answer

        checked.permission = role  # type: ignore[attr-defined]
        return checked

    return declare


def refuse_below(role: Role) -> ResponseReturnValue | None:
    """Abort with 403, or answer whoever has to sign in first; None for who may go on."""
    if role is not Role.PUBLIC:
        if not current_user.is_authenticated:
            return _ask_to_sign_in()
        if role_now() < role:
            abort(403)
    return None


def asks_as_script() -> bool:
    """Whether the answer goes to a program: it wants problem details, not pages."""
    return request.path.startswith(FOR_SCRIPTS) or has_bearer(request)


def has_bearer(asked: Request) -> bool:
    """Whether an API token came along."""
    return asked.headers.get("Authorization", "").lower().startswith(BEARER)


def _ask_to_sign_in() -> ResponseReturnValue:
    streams = "text/event-stream" in request.headers.get("Accept", "")
    if request.method != "GET" or streams or asks_as_script():
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
    """Sign out; the cookie is worth nothing afterwards."""
    if "id" in session:
        sessions.end(site(), str(session["id"]))
    logout_user()
    session.clear()


def session_digest() -> str:
    """The digest of this browser's session; empty for a script."""
    return sessions.digest_of(str(session["id"])) if "id" in session else ""


def still_allowed() -> Callable[[], bool]:
    """A function that says, for a long answer, whether who began it may still have it."""
    own_site, role = site(), role_now()
    secret, authorization = str(session.get("id", "")), request.headers.get("Authorization", "")

    def allowed() -> bool:
        person = _person(own_site, secret, authorization)
        return person is not None and person.role == role

    return allowed


def _person(own_site: Site, secret: str, authorization: str) -> Person | None:
    """Whoever a session or a token stands for, if it stands for anybody still."""
    if authorization.lower().startswith(BEARER):
        found = tokens.bearer(own_site, authorization[len(BEARER) :].strip(), now=time.time())
        return Person(found.account, found.role, found.handle) if found else None
    account = sessions.resume(own_site, secret, now=time.time()) if secret else None
    return Person(account) if account is not None else None


def _load_person(person_id: str) -> Person | None:
    """The signed-in account, unless the session is over or a token speaks instead."""
    if has_bearer(request):
        return None
    person = _person(site(), str(session.get("id", "")), "")
    return person if person is not None and str(person.id) == person_id else None


def _load_bearer(asked: Request) -> Person | None:
    return _person(site(), "", asked.headers.get("Authorization", ""))


def init_access(app: Flask, *, secure: bool) -> None:
    """Give the application its sessions and its sign-in; `secure` where the page has TLS."""
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
