"""The boot network: checks, recordings, boot requests and other boot servers."""

from functools import partial
from urllib.parse import quote

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue

from netboot.boot.answer.quirks import QUIRKS
from netboot.errors import InvalidInput
from netboot.operations.boots import network as operations
from netboot.operations.boots import networks
from web.guard.access import Role, requires, site
from web.live.parts import page
from web.responses import done
from web.uploads.tus import handed_in

network = Blueprint("network", __name__, url_prefix="/network")


@network.get("/")
@requires(Role.VIEWER)
def index() -> str:
    """Checks, recordings and requests, live; `?show=ignored&search=…` filters the requests."""
    ignored = request.args.get("show") == "ignored"
    search = " ".join(request.args.get("search", "")[:100].split())
    return page(
        "network/index.html",
        "checks",
        "captures",
        "network",
        f"decisions:{'ignored' if ignored else 'all'}:{quote(search)}",
        kinds=operations.KINDS,
        checkable=[one for one in networks.list_networks(site()) if one.state == "serves"],
        patience=operations.PATIENCE,
        chosen=request.args,
        quirks=QUIRKS,
        relays=site().settings.relays,
        ignored_only=ignored,
        search=search,
        largest_capture=operations.LARGEST_CAPTURE,
    )


@network.post("/", endpoint="check")
@requires(Role.OPERATOR)
def check() -> ResponseReturnValue:
    kind = request.form.get("kind", "")
    patience = request.form.get("patience", "")
    if patience not in set(map(str, operations.PATIENCE)):
        raise InvalidInput(f"{patience[:20]!r} is not one of the available times")
    kinds = (kind,) if kind else ()
    whole = "whole" in request.form
    chosen = request.form.get("network", "")
    job = operations.ask_check(site(), kinds, patience=int(patience), whole=whole, network=chosen)
    return done("Network check started.", url_for("network.index"), job=job)


@network.post("/captures", endpoint="read_capture")
@requires(Role.OPERATOR)
def read_capture() -> ResponseReturnValue:
    job = handed_in(request.form.get("upload", ""), partial(operations.ask_capture, site()))
    here = url_for("network.index", _anchor="recorded-boots")
    return done("Analysing the recording.", here, job=job)
