"""Addresses of pages for templates: built once and kept, since a page needs hundreds of them.

What an address is made of stands in its key, so a kept one cannot be wrong.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from flask import Flask, has_request_context, request

KEPT = 8192


def kept_addresses(app: Flask) -> Callable[..., str]:
    """As the application's own `url_for`, which takes ten times as long."""

    @lru_cache(maxsize=KEPT, typed=True)
    def built(_root: str, _blueprint: str | None, endpoint: str, /, **values: Any) -> str:
        return app.url_for(endpoint, **values)

    def address(endpoint: str, /, **values: Any) -> str:
        whole = "_external" in values or "_scheme" in values  # of the host that was asked
        if whole or not has_request_context():
            return app.url_for(endpoint, **values)
        blueprint = request.blueprint if endpoint.startswith(".") else None
        try:
            return built(request.root_path, blueprint, endpoint, **values)
        except TypeError:  # a list among the values: it cannot be a key
            return app.url_for(endpoint, **values)

    return address


def init_addresses(app: Flask) -> None:
    """Give templates the addresses that are kept."""
    app.jinja_env.globals["url_for"] = kept_addresses(app)
