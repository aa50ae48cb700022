"""Boot images: the list, one boot image, and its actions."""

from functools import partial

from flask import Blueprint, Response, render_template, request, url_for
from flask.typing import ResponseReturnValue

from netboot.errors import InvalidInput, NotBootCritical, OperatorFault, explained
from netboot.images.architecture import Architecture
from netboot.images.boot_image.boot_image import slug as slug_of
from netboot.images.drivers.catalog import DriverFilter
from netboot.operations.deployments import deployments as policy
from netboot.operations.drivers.search import search_drivers
from netboot.operations.images import images as operations
from netboot.operations.machines.recipients import who_gets
from netboot.operations.points import points
from netboot.operations.versions import versions
from netboot.protocols.mac import require_mac
from web.guard.access import Role, requires, site
from web.guard.edits import merge
from web.live.parts import page
from web.responses import done, go_to, wants_fragment
from web.show.forms import choice, number, optional_number
from web.uploads.tus import handed_in

images = Blueprint("images", __name__, url_prefix="/images")

CHOICES_SHOWN = 50
MACS_AT_ONCE = 500


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
    image = operations.get_image(site(), slug)
    here = url_for("images.show", slug=slug)
    if image.current and not image.needs_build:
        return done(f"Nothing to build: {image.current.label} already has all changes.", here)
    return done("Build started.", here, job=versions.ask_build(site(), slug))


@images.post("/<slug>/update-distribution-points")
@requires(Role.OPERATOR)
def update_distribution_points(slug: str) -> ResponseReturnValue:
    job = points.ask_update(site(), slug)
    return done("Updating distribution points.", url_for("images.show", slug=slug), job=job)


@images.post("/<slug>/roll-back")
@requires(Role.OPERATOR)
def roll_back(slug: str) -> ResponseReturnValue:
    image = operations.get_image(site(), slug)
    result = points.rollback(site(), image.name, number("number"))
    before = str(image.served_version or "")
    return done(
        f"{result.label} is served from now on. {who_gets(site(), image).words}",
        url_for("images.show", slug=slug),
        undo=(url_for("images.roll_back", slug=slug), {"number": before}) if before else None,
    )


@images.post("/<slug>/comment")
@requires(Role.OPERATOR)
def set_comment(slug: str) -> ResponseReturnValue:
    """Change the comment, unless another user changed it in the meantime."""
    number("row_version")
    image = operations.get_image(site(), slug)
    edit = merge({"comment": "Comment"}, {"comment": image.comment}, version=image.row_version)
    comment = edit.values.get("comment", "").replace("\r\n", "\n").strip()
    operations.set_comment(site(), slug, comment, row_version=image.row_version)
    return done(f"Comment saved.{edit.words}", url_for("images.show", slug=slug))


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


@images.post("/<slug>/assign")
@requires(Role.OPERATOR)
def assign(slug: str) -> ResponseReturnValue:
    """Assign the image to machines by MAC address; `withdraw` takes that back."""
    image = operations.get_image(site(), slug)
    macs = request.form.get("macs", "").replace(",", " ").replace(";", " ").split()
    if not macs:
        raise InvalidInput("enter at least one MAC address")
    if len(macs) > MACS_AT_ONCE:
        raise InvalidInput(
            f"{len(macs)} MAC addresses are too many at once",
            hint=f"Enter at most {MACS_AT_ONCE}, or use the API.",
        )
    addresses = list(dict.fromkeys(require_mac(mac) for mac in macs))
    decided = policy.decided(site(), addresses)
    before = {mac: decided.deployments[mac].image for mac in decided.deployments}
    words = f"{addresses[0]} gets" if len(addresses) == 1 else f"{len(addresses)} machines get"
    here = url_for("images.show", slug=slug)
    if request.form.get("withdraw"):
        for mac in (mac for mac in addresses if before.get(mac) == image.name):
            policy.withdraw(site(), mac)
        return done(f"{words} the default image again.", here)
    policy.deploy_all(site(), addresses, image.name)
    undo = _undo_of_assigning(image, addresses, [before.get(mac, "") for mac in addresses])
    return done(f"{words} {image.name} from the next boot on.", here, undo=undo)


def _undo_of_assigning(
    image: operations.ImageView, macs: list[str], before: list[str]
) -> tuple[str, dict[str, str]] | None:
    """One form that brings back what was, if all machines had the same; else None."""
    if len(set(before)) != 1 or before[0] == image.name:
        return None
    fields = {"macs": " ".join(macs)}
    if before[0]:
        return url_for("images.assign", slug=slug_of(before[0])), fields
    return url_for("images.assign", slug=image.slug), {**fields, "withdraw": "yes"}


@images.post("/<slug>/delete")
@requires(Role.ADMIN)
def delete(slug: str) -> ResponseReturnValue:
    """Delete the image; one that is served only if its name was typed."""
    name = operations.get_image(site(), slug).name
    operations.delete_image(site(), slug, typed=request.form.get("typed", ""))
    return done(f"{name} deleted.", url_for("images.index"))


@images.get("/import")
@requires(Role.OPERATOR)
def import_page() -> str:
    return page("images/import.html", architectures=list(Architecture))


@images.get("/import/windows-pe")
@requires(Role.VIEWER)
def windows_pe() -> str:
    """Where Windows PE comes from, and the steps to the default image."""
    return page("images/windows_pe.html")


@images.get("/import/name")
@requires(Role.OPERATOR)
def import_name() -> ResponseReturnValue:
    """Whether a name is free, asked before the file is uploaded; a sentence if it is not."""
    name = request.args.get("name", "").strip()
    try:
        if name:
            operations.require_free_name(site(), name)
    except OperatorFault as fault:
        return Response(explained(fault), 409, mimetype="text/plain")
    return Response("", 200, mimetype="text/plain")


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
    return go_to(url_for("jobs.show", job_id=job.id))
