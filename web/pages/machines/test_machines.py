"""Boot tests: virtual machines that boot from this site."""

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue

from netboot.operations import lab as operations
from netboot.operations.images.view import list_images
from web.guard.access import Role, requires, site
from web.live.parts import page
from web.responses import done
from web.show.forms import number

lab = Blueprint("lab", __name__, url_prefix="/test-machines")


@lab.get("/")
@requires(Role.VIEWER)
def index() -> str:
    served = [image for image in list_images(site()) if image.served_version]
    chosen = request.args.to_dict()
    wanted = next((one for one in served if one.slug == chosen.get("image")), None)
    if wanted and "firmware" not in chosen:  # from the image's page: one that can start it
        fitting = (key for key, can in operations.STARTS.items() if wanted.architecture in can)
        chosen["firmware"] = next(fitting, "")
    return page(
        "lab/index.html",
        "tests",
        lab=operations.lab_status(site()),
        memory_sizes=operations.MEMORY_SIZES,
        served=served,
        chosen=chosen,
    )


@lab.post("/", endpoint="boot")
@requires(Role.OPERATOR)
def boot() -> ResponseReturnValue:
    """Boot a test machine, of one image or of the one that a machine of this kind gets."""
    firmware, nic = request.form.get("firmware", ""), request.form.get("nic", "")
    image, memory = request.form.get("image", ""), number("memory")
    job = operations.ask_boot(site(), firmware=firmware, nic=nic, memory=memory, image=image)
    here = url_for("lab.index", firmware=firmware, nic=nic, memory=memory, image=image or None)
    return done("Starting the test machine.", here, job=job)
