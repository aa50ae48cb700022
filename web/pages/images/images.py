"""Boot images: the list, one boot image, and its actions."""

from functools import partial

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from netboot.errors import InvalidInput, NotBootCritical
from netboot.images.architecture import Architecture
from netboot.images.boot_image.boot_image import slug as slug_of
from netboot.images.drivers.catalog import DriverFilter
from netboot.operations.deployments import deployments as policy
from netboot.operations.drivers.search import search_drivers
from netboot.operations.images import images as operations
from netboot.operations.points import points
from netboot.operations.versions import versions
from web.guard.access import Role, requires, site
from web.live.parts import page
from web.responses import done, wants_fragment
from web.show.forms import choice, number, optional_number
from web.uploads.tus import handed_in

images = Blueprint("images", __name__, url_prefix="/images")

CHOICES_SHOWN = 50


@images.get("/")
@requires(Role.VIEWER)
def index() -> str:
    return page("images/index.html", "images")


@images.get("/<slug>")
@requires(Role.VIEWER)
def show(slug: str) -> str:
    return page("images/show.html", f"image:{slug}", opened=request.args.get("add") == "driver")


@images.get("/<slug>/driver-choices")
@requires(Role.OPERATOR)
def driver_choices(slug: str) -> str:
    """Drivers that can be added: same architecture, not yet in the boot image."""
    image = operations.get_image(site(), slug)
    held = {driver.digest for driver in image.drivers}
    wanted = DriverFilter(request.args.get("search", "")[:200], architecture=image.architecture)
    found = search_drivers(site(), wanted, limit=CHOICES_SHOWN + len(held))
    choices = [driver for driver in found.drivers if driver.digest not in held]
    return render_template(
        "images/_driver_choices.html",
        image=image,
        choices=choices[:CHOICES_SHOWN],
        more=found.total - len(found.drivers) + max(0, len(choices) - CHOICES_SHOWN),
        live=True,
    )


@images.post("/<slug>/drivers/add")
@requires(Role.OPERATOR)
def add_driver(slug: str) -> ResponseReturnValue:
    """Add a driver to the recipe. A driver that is not boot-critical needs confirmation."""
    digest = request.form.get("driver", "")
    confirmed = request.form.get("confirmed") == "yes"
    try:
        image = operations.add_driver(site(), slug, digest, confirmed=confirmed)
    except NotBootCritical as fault:
        if not wants_fragment():
            raise
        return render_template(
            "images/_confirm_driver.html", fault=fault, slug=slug, digest=digest, live=True
        ), 409
    driver = next(driver for driver in image.drivers if driver.digest == digest)
    lacking = " ".join(one.text for one in image.shortfalls if one.text.startswith(driver.name))
    said = f"{driver.name} added." + (f" But {lacking}" if lacking else "")
    return done(
        f"{said} Build a new version to apply the change.",
        url_for("images.show", slug=image.slug),
    )


@images.post("/<slug>/drivers/remove")
@requires(Role.OPERATOR)
def remove_driver(slug: str) -> ResponseReturnValue:
    digest = request.form.get("driver", "")
    image = operations.remove_driver(site(), slug, digest)
    return done(
        "Driver removed. Build a new version to apply the change.",
        url_for("images.show", slug=image.slug),
        undo=(url_for(".add_driver", slug=slug), {"driver": digest, "confirmed": "yes"}),
    )


@images.post("/<slug>/drivers/arrange")
@requires(Role.OPERATOR)
def arrange_drivers(slug: str) -> ResponseReturnValue:
    """Sort the drivers as known conflicts require."""
    image = operations.arrange_drivers(site(), slug)
    return done(
        f"Drivers of {image.name} sorted. Build a new version to apply the change.",
        url_for("images.show", slug=image.slug),
    )


@images.post("/<slug>/build")
@requires(Role.OPERATOR)
def build(slug: str) -> ResponseReturnValue:
    versions.ask_build(site(), slug)
    return done("Build started.", url_for("images.show", slug=slug))


@images.post("/<slug>/update-distribution-points")
@requires(Role.OPERATOR)
def update_distribution_points(slug: str) -> ResponseReturnValue:
    points.ask_update(site(), slug)
    return done("Updating distribution points.", url_for("images.show", slug=slug))


@images.post("/<slug>/roll-back")
@requires(Role.OPERATOR)
def roll_back(slug: str) -> ResponseReturnValue:
    image = operations.get_image(site(), slug)
    result = points.rollback(site(), image.name, number("number"))
    before = str(image.served_version or "")
    return done(
        f"Machines get {result.image} v{result.number} from now on.",
        url_for("images.show", slug=slug),
        undo=(url_for("images.roll_back", slug=slug), {"number": before}) if before else None,
    )


@images.post("/<slug>/comment")
@requires(Role.OPERATOR)
def set_comment(slug: str) -> ResponseReturnValue:
    """Change the comment, unless another user changed the image in the meantime."""
    comment = request.form.get("comment", "").replace("\r\n", "\n").strip()
    operations.set_comment(site(), slug, comment, row_version=number("row_version"))
    return done("Comment saved.", url_for("images.show", slug=slug))


@images.post("/<slug>/default")
@requires(Role.OPERATOR)
def set_default(slug: str) -> ResponseReturnValue:
    wanted = operations.get_image(site(), slug)
    before = policy.defaults(site()).get(wanted.architecture, wanted.name)
    image = operations.set_default(site(), slug)
    words = f"{image.name} is now the default image for {image.architecture} machines."
    undo = (url_for("images.set_default", slug=slug_of(before)), dict[str, str]())
    here = url_for("images.show", slug=slug)
    return done(words, here, undo=None if before == image.name else undo)


@images.post("/<slug>/delete")
@requires(Role.ADMIN)
def delete(slug: str) -> ResponseReturnValue:
    name = operations.get_image(site(), slug).name
    operations.delete_image(site(), slug)
    return done(f"{name} deleted.", url_for("images.index"))


@images.get("/import")
@requires(Role.OPERATOR)
def import_page() -> str:
    return page("images/import.html", architectures=list(Architecture))


@images.post("/import", endpoint="import_image")
@requires(Role.OPERATOR)
def import_image() -> ResponseReturnValue:
    form = request.form
    name = form.get("name", "").strip()
    if not name:
        raise InvalidInput("enter a name for the boot image")
    architecture = None
    if form.get("architecture"):
        architecture = choice(Architecture, "architecture", "architecture")
    ask = partial(
        operations.ask_import,
        site(),
        name=name,
        architecture=architecture,
        index=optional_number("index"),
        comment=form.get("comment", "").strip(),
    )
    job = handed_in(form.get("upload", ""), ask)
    return done("Import started.", url_for("jobs.show", job_id=job.id))
