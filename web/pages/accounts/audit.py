"""The audit log: its entries, and its verification."""

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from netboot.operations.accounts import audit as operations
from web.guard.access import Role, requires, site
from web.live.parts import page
from web.responses import wants_fragment

audit = Blueprint("audit", __name__, url_prefix="/audit")

SHOWN = 50


@audit.get("/")
@requires(Role.VIEWER)
def index() -> str:
    filters = {
        name: request.args.get(name, "").strip()[:100] for name in ("actor", "subject", "action")
    }
    before = request.args.get("before", "")
    found = operations.entries(
        site(),
        limit=SHOWN + 1,
        before=int(before) if before.isdecimal() and len(before) < 16 else 0,
        **filters,
    )
    values = {
        "entries": found[:SHOWN],
        "older": found[SHOWN - 1].id if len(found) > SHOWN else 0,
        "filters": filters,
        "total": operations.count(site(), **filters),
    }
    if wants_fragment():
        return render_template("audit/_list.html", **values, live=True)
    return page("audit/index.html", **values)


@audit.get("/verify")
@requires(Role.VIEWER)
def verify() -> ResponseReturnValue:
    verdict = operations.verify(site(), head=request.args.get("head", "").strip()[:64])
    if wants_fragment():
        return render_template("audit/_verdict.html", verdict=verdict)
    return page("audit/verify.html", verdict=verdict)
