"""Known driver conflicts: those that come with netboot, and those that this site added."""

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue

from netboot.images.drivers.known_pairs import Side, Trouble
from netboot.operations.drivers import known_pairs as operations
from web.guard.access import Role, requires, site
from web.live.parts import page
from web.responses import done
from web.show.forms import choice

known_pairs = Blueprint("known_pairs", __name__, url_prefix="/drivers/pairs")

TROUBLES = {
    Trouble.APART: "never in the same boot image",
    Trouble.ORDER: "load the first driver before the second",
    Trouble.RELEASE: "the first two version numbers must match",
}


@known_pairs.get("/")
@requires(Role.VIEWER)
def index() -> str:
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
    noted = operations.add_pair(
        site(),
        choice(Trouble, "trouble", "type of conflict"),
        _side("first"),
        _side("second"),
        reason=request.form.get("reason", ""),
        source=request.form.get("source", ""),
    )
    return done(f"Conflict added: {noted.rule}", url_for(".index"))


@known_pairs.post("/<pair>/remove")
@requires(Role.OPERATOR)
def remove(pair: str) -> ResponseReturnValue:
    gone = operations.remove_pair(site(), pair)
    return done(f"Conflict removed: {gone.rule}", url_for(".index"))


def _side(which: str) -> Side:
    def said(name: str) -> str:
        return request.form.get(f"{which}_{name}", "").strip()

    return Side(said("inf"), said("provider"), said("service"), said("since"), said("before"))
