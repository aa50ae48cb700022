"""Single sign-on with an OpenID Connect provider, if the settings name one.

Authorization code flow with PKCE and nonce; Authlib checks the ID token. The role comes from a
claim at each sign-in, so a user who loses a group at the provider loses the role here.
"""

from typing import Any

import structlog
from flask import Blueprint, Flask, abort, current_app, redirect, url_for
from flask.typing import ResponseReturnValue

from netboot.access import ROLES
from netboot.config import Settings
from netboot.errors import OperatorFault, sentence
from netboot.operations.accounts import accounts, audit
from web.guard import audit_trail
from web.guard.access import Role, begin_session, requires, site
from web.guard.public_address import absolute_url
from web.guard.request_safety import limiter
from web.responses import problem

single_sign_on = Blueprint("single_sign_on", __name__, url_prefix="/sign-in/single-sign-on")

TRIES = "30 per 15 minutes"
ACTION = "accounts.single_sign_on"

log = structlog.get_logger(__name__)


def _faults(*more: type[Exception]) -> tuple[type[Exception], ...]:
    """What a provider may fail with, and `more`.

    Most sites have none, so the libraries for it are not imported at the top: they are a tenth of
    the console's objects, and each full collection of garbage visits them all.
    """
    import requests
    from authlib.integrations.base_client import OAuthError  # type: ignore[import-untyped]
    from joserfc.errors import JoseError

    return requests.RequestException, OAuthError, JoseError, *more


def _provider() -> Any:
    oauth = current_app.extensions.get("netboot_oauth")
    if oauth is None:
        abort(404)
    return oauth.provider


@single_sign_on.get("/")
@limiter.limit(TRIES)
@requires(Role.PUBLIC)
def begin() -> ResponseReturnValue:
    provider = _provider()
    try:
        answer: ResponseReturnValue = provider.authorize_redirect(
            absolute_url("single_sign_on.callback")
        )
    except _faults(ValueError) as fault:
        return _failed(fault)
    return answer


@single_sign_on.get("/callback")
@limiter.limit(TRIES)
@requires(Role.PUBLIC)
def callback() -> ResponseReturnValue:
    """Return from the provider, and sign in as the account it confirms."""
    provider = _provider()
    try:
        claims = dict(provider.authorize_access_token()["userinfo"])
        identity, name = f"{claims['iss']}|{claims['sub']}", name_in(claims)
    except _faults(KeyError, ValueError) as fault:
        return _failed(fault)
    role = role_in(claims, site().settings)
    if not role:
        audit_trail.record(ACTION, outcome=audit.REFUSED, actor=name)
        return problem(
            "Your single sign-on account has no role on this site.",
            "Ask an administrator which group you need.",
            status=403,
        )
    try:
        account = accounts.external_account(site(), identity, name, role)
    except OperatorFault as fault:
        return problem(sentence(str(fault)), fault.hint, status=403)
    begin_session(account)
    audit_trail.record(ACTION, actor=account.name)
    return redirect(url_for("overview.show"), 303)


def _failed(fault: Exception) -> ResponseReturnValue:
    log.warning("single_sign_on.failed", fault=f"{type(fault).__name__}: {fault}"[:500])
    return problem(
        "Single sign-on failed.",
        "Try again. If the problem continues, see the server log. "
        "Accounts with a password can still sign in.",
        status=502,
    )


def name_in(claims: dict[str, Any]) -> str:
    """The best display name in the claims."""
    for claim in ("preferred_username", "email", "name", "sub"):
        value = claims.get(claim)
        if isinstance(value, str) and value.strip() and value.isprintable():
            return value.strip()[:100]
    raise KeyError("no claim contains a user name")


def role_in(claims: dict[str, Any], settings: Settings) -> str:
    """The highest role among the claim's values; empty for none."""
    held = claims.get(settings.oidc_role_claim)
    values = held if isinstance(held, list) else [held]
    names = [value for value in values if isinstance(value, str)]
    roles = [settings.oidc_roles[name] for name in names if name in settings.oidc_roles]
    return max(roles, key=ROLES.index, default=settings.oidc_default_role)


def init_single_sign_on(app: Flask, settings: Settings) -> None:
    """Register the provider, if there is one, and the two addresses."""
    app.register_blueprint(single_sign_on)
    label = settings.oidc_label if settings.oidc_issuer else ""
    app.jinja_env.globals["single_sign_on_label"] = label
    if not settings.oidc_issuer:
        return
    from authlib.integrations.flask_client import OAuth  # type: ignore[import-untyped]

    from web.pages.accounts.provider_session import provider_app

    oauth = OAuth(app)
    oauth.register(
        "provider",
        client_cls=provider_app(settings.webhook_networks),
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret.get_secret_value(),
        server_metadata_url=f"{settings.oidc_issuer.rstrip('/')}/.well-known/openid-configuration",
        client_kwargs={
            "scope": "openid profile email",
            "code_challenge_method": "S256",
            "timeout": 10,
        },
    )
    app.extensions["netboot_oauth"] = oauth
