"""The boot network: a check as machines would ask, who was answered and why, who else answers."""

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue

from netboot.boot.quirks import QUIRKS
from netboot.errors import InvalidInput
from netboot.operations import network as operations
from web.access import Role, requires, site
from web.answers import done
from web.topics import page

network = Blueprint("network", __name__, url_prefix="/network")


@network.get("/")
@requires(Role.VIEWER)
def index() -> str:
    """Checks and decisions, live; `?show=ignored` leaves out what was answered."""
    ignored = request.args.get("show") == "ignored"
    return page(
        "network/index.html",
        "checks",
        "network:ignored" if ignored else "network",
        kinds=operations.KINDS,
        patience=operations.PATIENCE,
        chosen=request.args,
        quirks=QUIRKS,
        relays=site().settings.relays,
        ignored_only=ignored,
    )


@network.post("/", endpoint="check")
@requires(Role.OPERATOR)
def check() -> ResponseReturnValue:
    """Ask the network as machines would."""
    kind = request.form.get("kind", "")
    patience = request.form.get("patience", "")
    if patience not in set(map(str, operations.PATIENCE)):
        raise InvalidInput(f"{patience[:20]!r} is no patience on offer")
    operations.submit_check(
        site(),
        (kind,) if kind else (),
        patience=int(patience),
        whole="whole" in request.form,
    )
    return done("The network is being asked.", url_for("network.index"))
