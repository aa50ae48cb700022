"""Boot tests: virtual machines that boot from this site."""

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue

from netboot.operations import lab as operations
from web.guard.access import Role, requires, site
from web.live.parts import page
from web.responses import done
from web.show.forms import number

lab = Blueprint("lab", __name__, url_prefix="/test-machines")


@lab.get("/")
@requires(Role.VIEWER)
def index() -> str:
    return page(
        "lab/index.html",
        "tests",
        lab=operations.lab_status(site()),
        memory_sizes=operations.MEMORY_SIZES,
        chosen=request.args,
    )


@lab.post("/", endpoint="boot")
@requires(Role.OPERATOR)
def boot() -> ResponseReturnValue:
    firmware, nic = request.form.get("firmware", ""), request.form.get("nic", "")
    memory = number("memory")
    operations.ask_boot(site(), firmware=firmware, nic=nic, memory=memory)
    return done(
        "Starting the test machine.",
        url_for("lab.index", firmware=firmware, nic=nic, memory=memory),
    )
