"""Known pairs as a page: drivers that do not get along, from netboot's table and the site's own."""

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue

from netboot.errors import InvalidInput
from netboot.images.drivers.known_pairs import Side, Trouble
from netboot.operations.drivers import known_pairs as operations
from web.guard.access import Role, requires, site
from web.live.parts import page
from web.responses import done

known_pairs = Blueprint("known_pairs", __name__, url_prefix="/drivers/pairs")

TROUBLES = {
    Trouble.APART: "never both in one image",
    Trouble.ORDER: "load the first before the second",
    Trouble.RELEASE: "versions must agree in their first two numbers",
}


@known_pairs.get("/")
@requires(Role.VIEWER)
def index() -> str:
    """All pairs, and the form for one more."""
    return page(
        "drivers/pairs.html",
        pairs=operations.list_pairs(site()),
        troubles=TROUBLES,
        first=request.args.get("first", "")[:255],
        provider=request.args.get("provider", "")[:255],
    )


@known_pairs.post("/")
@requires(Role.OPERATOR)
def add() -> ResponseReturnValue:
    """Note a pair of the site's own."""
    wanted = request.form.get("trouble", "")
    if wanted not in list(Trouble):
        raise InvalidInput("it was not said what is wrong with the two")
    noted = operations.add_pair(
        site(),
        Trouble(wanted),
        _side("first"),
        _side("second"),
        reason=request.form.get("reason", ""),
        source=request.form.get("source", ""),
    )
    return done(f"Noted: {noted.rule}", url_for(".index"))


@known_pairs.post("/<pair>/remove")
@requires(Role.OPERATOR)
def remove(pair: str) -> ResponseReturnValue:
    """Forget a pair of the site's own."""
    gone = operations.remove_pair(site(), pair)
    return done(f"Forgotten: {gone.rule}", url_for(".index"))


def _side(which: str) -> Side:
    def said(name: str) -> str:
        return request.form.get(f"{which}_{name}", "").strip()

    return Side(said("inf"), said("provider"), said("service"), said("since"), said("before"))
