"""Checks of every request: host name, request forgery, sign-in attempts; headers of answers."""

import ipaddress
import socket
from pathlib import Path

from flask import Flask, Response, abort, current_app, request, session
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_wtf.csrf import CSRFProtect  # type: ignore[import-untyped]

from web.guard.access import FOR_SCRIPTS, has_bearer
from web.guard.limit_store import address_of

FORM_LIMIT = 2 * 1024 * 1024
UPLOAD_LIMIT = 64 * 1024**3

CONTENT_SECURITY_POLICY = "; ".join(  # noqa: FLY002  # one rule a line
    (
        "default-src 'self'",
        "img-src 'self' data:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)

csrf = CSRFProtect()
limiter = Limiter(key_func=get_remote_address, headers_enabled=True)


def host_is_trusted(host: str, trusted: frozenset[str]) -> bool:
    """Whether the console answers requests with this Host header.

    The owner of a name can rebind it to our address (DNS rebinding), so names must be listed. An
    IP address needs no look-up and cannot be rebound.
    """
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    name = name.strip("[]").rstrip(".").lower()
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name in trusted
    return True


def _check_host(trusted: frozenset[str]) -> None:
    host = request.environ.get("HTTP_HOST", "")
    if not host_is_trusted(host, trusted):
        abort(400, "untrusted-host")


def _choose_limit() -> None:
    """Uploads are large; the limit must be set before the body is read."""
    if request.blueprint in {"uploads", "api_uploads"}:
        request.max_content_length = UPLOAD_LIMIT


def _check_origin() -> None:
    """Refuse requests that another site's page sends with our cookie; tokens are not cookies."""
    anonymous_script = request.path.startswith(FOR_SCRIPTS) and "id" not in session
    if not current_app.config["WTF_CSRF_ENABLED"] or not request.endpoint:
        return
    if not has_bearer(request) and not anonymous_script:
        csrf.protect()


def _add_headers(response: Response) -> Response:
    headers = response.headers
    headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("X-Frame-Options", "DENY")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    headers.setdefault("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
    headers.setdefault("Cache-Control", "no-store")
    return response


def _ask_for_tls(response: Response) -> Response:
    response.headers.setdefault("Strict-Transport-Security", f"max-age={180 * 24 * 3600}")
    return response


def init_safety(
    app: Flask, trusted_hosts: list[str], folder: Path, *, tls_is_trusted: bool
) -> None:
    """Guard the application; `folder` holds the counts that its processes share.

    With `tls_is_trusted`, browsers are asked to use only TLS (HSTS, RFC 6797).
    """
    own = ("localhost", socket.gethostname(), socket.getfqdn())
    trusted = frozenset(name.lower() for name in (*own, *trusted_hosts))
    app.config.update(
        MAX_CONTENT_LENGTH=FORM_LIMIT,
        WTF_CSRF_CHECK_DEFAULT=False,  # `_check_origin` does, as it knows about tokens
        WTF_CSRF_TIME_LIMIT=None,  # a token lives as long as its session
        RATELIMIT_ENABLED=True,
        RATELIMIT_STORAGE_URI=address_of(folder / "limits.db"),
    )
    app.before_request(lambda: _check_host(trusted))
    app.before_request(_choose_limit)
    app.before_request(_check_origin)
    app.after_request(_add_headers)
    if tls_is_trusted:
        app.after_request(_ask_for_tls)
    csrf.init_app(app)
    limiter.init_app(app)
