"""The audit log: its entries, and its verification."""

from dataclasses import asdict, dataclass

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from netboot.operations.accounts import audit as operations
from web.guard.access import Role, requires, site
from web.live.parts import page
from web.live.turns import out_of_turn
from web.responses import wants_fragment

audit = Blueprint("audit", __name__, url_prefix="/audit")

SHOWN = 50


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters of the log."""

    actor: str = ""
    subject: str = ""
    action: str = ""

    @staticmethod
    def read() -> "Filters":
        return Filters(
            **{
                name: request.args.get(name, "").strip()[:100]
                for name in ("actor", "subject", "action")
            }
        )


@audit.get("/")
@requires(Role.VIEWER)
def index() -> str:
    """Entries, newest first, filtered."""
    filters = Filters.read()
    before = request.args.get("before", "")
    found = operations.entries(
        site(),
        limit=SHOWN + 1,
        before=int(before) if before.isdecimal() and len(before) < 16 else 0,
        **asdict(filters),
    )
    values = {
        "entries": found[:SHOWN],
        "older": found[SHOWN - 1].id if len(found) > SHOWN else 0,
        "filters": filters,
        "total": operations.count(site(), **asdict(filters)),
    }
    if wants_fragment():
        return render_template("audit/_list.html", **values, live=True)
    return page("audit/index.html", **values)


@audit.get("/verify")
@requires(Role.VIEWER)
@out_of_turn
def verify() -> ResponseReturnValue:
    """Verify the whole chain and show the result."""
    verdict = operations.verify(site(), head=request.args.get("head", "").strip()[:64])
    if wants_fragment():
        return render_template("audit/_verdict.html", verdict=verdict)
    return page("audit/verify.html", verdict=verdict)
