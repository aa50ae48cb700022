"""A boot as a row of a list, drawn once for each way in which it stands.

While two hundred machines boot, lists are made anew several times a second; between two of them
few rows differ.
"""

from collections.abc import Callable
from functools import lru_cache

from flask import Flask, request
from markupsafe import Markup

from web.show.ladder import Boot

KEPT = 1000
"""Rows of some two kilobytes each: twenty lists."""


def drawn_rows(app: Flask) -> Callable[[Boot], Markup]:
    """Draws a row, or gives the one that was drawn of an equal boot."""

    @lru_cache(maxsize=KEPT)
    def drawn(_root: str, boot: Boot) -> Markup:
        macros = app.jinja_env.get_template("boots/_macros.html").module
        row: Markup = macros.row(boot)  # type: ignore[attr-defined]
        return row

    return lambda boot: drawn(request.root_path, boot)


def init_boot_rows(app: Flask) -> None:
    """Give templates `boot_row`."""
    app.jinja_env.globals["boot_row"] = drawn_rows(app)
