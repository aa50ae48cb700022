"""Boots: current and past boots, one boot in detail, and error codes."""

from flask import Blueprint, request

from netboot.boot.told.error_codes import PXE_CODES, WINDOWS_CODES, look_up
from netboot.operations.boots import boots as operations
from web.guard.access import Role, requires, site
from web.live.parts import page
from web.show.ladder import WORDS
from web.show.wanted_boots import query_of, wanted_boots

boots = Blueprint("boots", __name__, url_prefix="/boots")


@boots.get("/")
@requires(Role.VIEWER)
def index() -> str:
    wanted = wanted_boots(request.args)
    topic = f"boots:{query_of(wanted)}"
    return page(
        "boots/index.html",
        topic,
        "boot_charts",
        outcomes=[(outcome.value, words) for outcome, words in WORDS.items()],
        wanted=wanted,
        names=list(operations.image_slugs(site())),
    )


@boots.get("/codes")
@requires(Role.VIEWER)
def codes() -> str:
    asked = request.args.get("code", "")[:80]
    return page(
        "boots/codes.html",
        asked=asked,
        found=look_up(asked) if asked else None,
        groups=(("PXE and UEFI", PXE_CODES), ("Windows boot manager", WINDOWS_CODES)),
    )


@boots.get("/<boot_id>")
@requires(Role.VIEWER)
def show(boot_id: str) -> str:
    return page("boots/show.html", f"boot:{boot_id}")
