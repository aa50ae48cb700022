"""First setup, sign-in and sign-out."""

from flask import Blueprint, Flask, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user  # type: ignore[import-untyped]

from netboot.errors import DatabaseFault, OperatorFault, TooManyAttempts, sentence
from netboot.operations.accounts import accounts as operations
from netboot.operations.accounts import audit, lockouts
from netboot.secret import Secret
from web.guard import audit_trail
from web.guard.access import (
    Role,
    asks_as_script,
    begin_session,
    end_session,
    is_local_path,
    requires,
    site,
)
from web.guard.request_safety import limiter
from web.responses import status_of

accounts = Blueprint("accounts", __name__)

WRONG_TOKENS = "20 per 15 minutes"
OPEN_BEFORE_SETUP = {"accounts.setup", "accounts.setup_page", "assets.asset"}


def _failed(response: object) -> bool:
    return getattr(response, "status_code", 0) != 303


def _page_after() -> str:
    target = request.args.get("next", "")
    return target if is_local_path(target) else url_for("overview.show")


@accounts.get("/sign-in")
@requires(Role.PUBLIC)
def sign_in_page() -> ResponseReturnValue:
    if current_user.is_authenticated:
        return redirect(_page_after(), 303)
    return _sign_in_form()


@accounts.post("/sign-in", endpoint="sign_in")
@requires(Role.PUBLIC)
def sign_in() -> ResponseReturnValue:
    name, address = request.form.get("name", "")[:100], request.remote_addr or ""
    try:
        lockouts.begin_attempt(site(), name, address)
    except TooManyAttempts as fault:
        wait = {"Retry-After": str(int(fault.seconds) + 1)}
        return _sign_in_form(sentence(str(fault)), fault.hint), status_of(fault), wait
    password = Secret(request.form.get("password", "")[:1000])
    account = operations.authenticate(site(), name, password)
    if account is None:
        _record_failure(locked=lockouts.is_locked(site(), name, address))
        return _sign_in_form("The user name or password is incorrect."), 401
    lockouts.end_attempt(site(), name, address)
    begin_session(account)
    audit_trail.record("accounts.sign_in")
    return redirect(_page_after(), 303)


def _record_failure(*, locked: bool) -> None:
    """A password typed into the name field must not appear in the log."""
    name = request.form.get("name", "").strip()
    known = any(account.name == name for account in operations.list_accounts(site()))
    actor = name if known else "an unknown user"
    audit_trail.record("accounts.sign_in", outcome=audit.FAILED, actor=actor)
    if locked:
        audit_trail.record("accounts.lock_out", actor=actor, subject=f"accounts/{actor}")


def _sign_in_form(message: str = "", hint: str = "") -> str:
    return render_template(
        "accounts/sign_in.html",
        message=message,
        hint=hint,
        name=request.form.get("name", ""),
        next_page=request.args.get("next", ""),
    )


@accounts.post("/sign-out")
@requires(Role.VIEWER)
def sign_out() -> ResponseReturnValue:
    audit_trail.record("accounts.sign_out")
    end_session()
    return redirect(url_for("accounts.sign_in_page"), 303)


@accounts.get("/setup")
@requires(Role.PUBLIC)
def setup_page() -> ResponseReturnValue:
    if not operations.setup_needed(site()):
        return redirect(url_for("overview.show"), 303)
    return _setup_form()


@accounts.post("/setup", endpoint="setup")
@limiter.limit(WRONG_TOKENS, deduct_when=_failed)
@requires(Role.PUBLIC)
def setup() -> ResponseReturnValue:
    """Create the first administrator with the setup token, and sign in."""
    form = request.form
    if form.get("password") != form.get("again"):
        return _setup_form("The two passwords do not match."), 400
    audit_trail.begin("accounts.setup")
    try:
        account = operations.create_first_administrator(
            site(),
            Secret(form.get("token", "")),
            form.get("name", ""),
            Secret(form.get("password", "")),
        )
    except OperatorFault as fault:
        return _setup_form(sentence(str(fault)), fault.hint), status_of(fault)
    begin_session(account)
    audit_trail.record("accounts.setup")
    return redirect(url_for("overview.show"), 303)


def _setup_form(message: str = "", hint: str = "") -> str:
    return render_template(
        "accounts/setup.html",
        message=message,
        hint=hint,
        token=request.form.get("token", ""),
        name=request.form.get("name", ""),
        shortest=operations.SHORTEST_PASSWORD,
    )


def _lead_to_setup() -> ResponseReturnValue | None:
    """Without an administrator, every page redirects to the setup page."""
    try:
        if request.endpoint in OPEN_BEFORE_SETUP or current_user.is_authenticated:
            return None
        if not operations.setup_needed(site()):
            return None
    except DatabaseFault:
        return None  # the view says so, if it needs the database
    if asks_as_script():
        raise OperatorFault(
            "this site has no administrator", hint="Open the console and set up the site first."
        )
    return redirect(url_for("accounts.setup_page"), 303)


def init_accounts(app: Flask) -> None:
    """Register the pages, and redirect to the setup until there is an administrator."""
    app.before_request(_lead_to_setup)
    app.register_blueprint(accounts)
