"""All versions of a boot image: compare, serve again, verify."""

from flask import Blueprint, url_for
from flask.typing import ResponseReturnValue

from netboot.operations.images import images
from netboot.operations.points import points
from netboot.operations.versions import versions
from web.guard.access import Role, requires, site
from web.live.parts import page
from web.responses import go_to
from web.show.forms import asked_number

images_versions = Blueprint("images_versions", __name__, url_prefix="/images")


@images_versions.get("/<slug>/versions")
@requires(Role.VIEWER)
def show(slug: str) -> str:
    """All versions, and the differences between two selected ones."""
    image = images.get_image(site(), slug)
    old, new = asked_number("old"), asked_number("new")
    change = versions.compare(site(), slug, old, new) if old and new else None
    numbers = [version.number for version in image.versions]
    return page(
        "images/versions.html",
        image=image,
        change=change,
        old=old or (numbers[1] if len(numbers) > 1 else 0),
        new=new or (numbers[0] if numbers else 0),
    )


@images_versions.post("/<slug>/verify")
@requires(Role.OPERATOR)
def verify(slug: str) -> ResponseReturnValue:
    job = points.ask_verify(site(), slug)
    return go_to(url_for("jobs.show", job_id=job.id))
