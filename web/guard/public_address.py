"""The console seen from outside: behind a proxy that ends TLS, under its public name.

Anyone can write the headers that proxies write (X-Forwarded-For, -Proto, -Host). So the public
address is a setting and never a header, and X-Forwarded-For is read only as far as proxies listed
in the settings wrote it.
"""

import ipaddress
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, current_app, request, url_for

from netboot.config import Settings

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Application = Callable[[dict[str, Any], Any], Iterable[bytes]]

ORIGIN = "NETBOOT_ORIGIN"
LONGEST_CHAIN = 20


def origin() -> str:
    """The console's public address, without a slash at the end."""
    configured: str = current_app.config[ORIGIN]
    return configured or request.host_url.rstrip("/")


def absolute_url(endpoint: str, **values: Any) -> str:
    """The complete URL of a page, for links from elsewhere."""
    return origin() + url_for(endpoint, **values)


def client_address(peer: str, forwarded: str, trusted: Sequence[Network]) -> str:
    """The client's address: the first one, from the server's side, that is not a known proxy.

    `forwarded` is X-Forwarded-For; each proxy appends the address it received the request from.
    """
    found = peer
    for forwarder in reversed([part.strip() for part in forwarded.split(",")][-LONGEST_CHAIN:]):
        if not _among(found, trusted):
            break
        try:
            found = str(ipaddress.ip_address(forwarder))
        except ValueError:
            break
    return found


def _among(address: str, networks: Sequence[Network]) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return any((mapped or found) in network for network in networks)


class BehindProxies:
    """Passes the client's address to the application, behind proxies listed in the settings."""

    def __init__(self, application: Application, trusted: Sequence[Network]) -> None:
        self._application = application
        self._trusted = trusted

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["REMOTE_ADDR"] = client_address(
            environ.get("REMOTE_ADDR", ""), environ.get("HTTP_X_FORWARDED_FOR", ""), self._trusted
        )
        return self._application(environ, start_response)


def is_secure(settings: Settings) -> bool:
    """Whether users reach the console over TLS, ours or that of a proxy."""
    return settings.tls != "off" or settings.web_url.startswith("https:")


def outside_names(settings: Settings) -> list[str]:
    """Host names that the console accepts because its public address contains them."""
    return [name for name in (urlsplit(settings.web_url).hostname,) if name]


def init_outside(app: Flask, settings: Settings) -> None:
    """Set the public address and the trusted proxies."""
    app.config[ORIGIN] = settings.web_url
    if settings.trusted_proxies:
        trusted = [ipaddress.ip_network(text) for text in settings.trusted_proxies]
        app.wsgi_app = BehindProxies(app.wsgi_app, trusted)  # type: ignore[method-assign]
