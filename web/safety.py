"""What guards every answer: host names, headers, request forgery, floods of sign-ins."""

import ipaddress
import socket

from flask import Flask, Response, abort, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_wtf.csrf import CSRFProtect  # type: ignore[import-untyped]

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
limiter = Limiter(key_func=get_remote_address, storage_uri="memory://", headers_enabled=True)


def host_is_trusted(host: str, trusted: frozenset[str]) -> bool:
    """Whether a Host header may be answered.

    A name could be rebound to our address by whoever owns it, so names must be listed; an
    address needs no look-up and cannot be rebound.
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
    """Uploads are large; the limit must be known before anybody looks at the body."""
    if request.blueprint == "uploads":
        request.max_content_length = UPLOAD_LIMIT


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


def init_safety(app: Flask, trusted_hosts: list[str]) -> None:
    """Guard the application."""
    own = ("localhost", socket.gethostname(), socket.getfqdn())
    trusted = frozenset(name.lower() for name in (*own, *trusted_hosts))
    app.config.update(
        MAX_CONTENT_LENGTH=FORM_LIMIT,
        WTF_CSRF_TIME_LIMIT=None,  # a token lives as long as its session
        RATELIMIT_ENABLED=True,
    )
    app.before_request(lambda: _check_host(trusted))
    app.before_request(_choose_limit)
    app.after_request(_add_headers)
    csrf.init_app(app)
    limiter.init_app(app)
