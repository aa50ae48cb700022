"""The page as it is seen from outside: behind a proxy that ends TLS, under a name of its own.

What proxies write into headers (X-Forwarded-For, -Proto, -Host) anybody can write. So the
page's address is a setting and never a header; and who asks is read from X-Forwarded-For only as
far as it was written by a proxy that the settings name.
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
    """The page's address as people type it, without a slash at the end."""
    told: str = current_app.config[ORIGIN]
    return told or request.host_url.rstrip("/")


def absolute_url(endpoint: str, **values: Any) -> str:
    """A page's whole address, for those who come from elsewhere."""
    return origin() + url_for(endpoint, **values)


def client_address(peer: str, forwarded: str, trusted: Sequence[Network]) -> str:
    """Who asks: the first address, from the server's side, that is no proxy of ours.

    `forwarded` is X-Forwarded-For, to which each proxy adds at its end whom it heard.
    """
    found = peer
    for told in reversed([part.strip() for part in forwarded.split(",")][-LONGEST_CHAIN:]):
        if not _among(found, trusted):
            break
        try:
            found = str(ipaddress.ip_address(told))
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
    """Lets the application see who asks, where proxies that the settings name stand between."""

    def __init__(self, application: Application, trusted: Sequence[Network]) -> None:
        self._application = application
        self._trusted = trusted

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Hand the request on with the address of whoever asks."""
        environ["REMOTE_ADDR"] = client_address(
            environ.get("REMOTE_ADDR", ""), environ.get("HTTP_X_FORWARDED_FOR", ""), self._trusted
        )
        return self._application(environ, start_response)


def is_secure(settings: Settings) -> bool:
    """Whether people reach the page by TLS: ours, or that of a proxy before us."""
    return settings.tls != "off" or settings.web_url.startswith("https:")


def outside_names(settings: Settings) -> list[str]:
    """Names that the page answers to because its own address holds them."""
    return [name for name in (urlsplit(settings.web_url).hostname,) if name]


def init_outside(app: Flask, settings: Settings) -> None:
    """Tell the application its address, and whom to believe."""
    app.config[ORIGIN] = settings.web_url
    if settings.trusted_proxies:
        trusted = [ipaddress.ip_network(text) for text in settings.trusted_proxies]
        app.wsgi_app = BehindProxies(app.wsgi_app, trusted)  # type: ignore[method-assign]
