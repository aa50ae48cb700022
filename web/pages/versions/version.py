"""One version: network, boot media and local disk."""

from flask import Blueprint, Response, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue

from netboot.images.media.disk_package import System
from netboot.images.media.request import DiskFormat, MediaKind, MediaOrder
from netboot.operations.images import images as image_operations
from netboot.operations.media import disk_packages
from netboot.operations.media import media as operations
from web.guard.access import Role, requires, site
from web.live.parts import page
from web.responses import done, wants_fragment
from web.show.forms import choice, optional_number

versions = Blueprint("versions", __name__, url_prefix="/images")


@versions.get("/<slug>/versions/<int:number>")
@requires(Role.VIEWER)
def show(slug: str, number: int) -> str:
    return page("versions/show.html", f"version:{slug}/{number}", address=_own_address())


@versions.post("/<slug>/versions/<int:number>/media")
@requires(Role.OPERATOR)
def build_media(slug: str, number: int) -> ResponseReturnValue:
    """Queue boot media of this version, optionally with the newest version of a second image."""
    form = request.form
    order = MediaOrder(
        kind=choice(MediaKind, "kind", "media kind"),
        format=choice(DiskFormat, "format", "disk image format", default="raw"),
        label=form.get("label", "").strip().upper() or "NETBOOT",
        expires=form.get("expires", "").strip(),
        password_hash=operations.hashed(form.get("password", "")),
        home=operations.home_of(site(), form.get("home", "").strip()),
        size=(optional_number("size") or 0) << 20,  # the form asks for MiB
    )
    wanted = [(slug, number)]
    if form.get("other"):
        wanted.append((form["other"], 0))
    job = operations.ask_media(site(), order, wanted)
    here = url_for("versions.show", slug=slug, number=number)
    return done("Creating boot media.", here, job=job)


@versions.post("/<slug>/versions/<int:number>/package")
@requires(Role.OPERATOR)
def make_package(slug: str, number: int) -> ResponseReturnValue:
    """Create a link for one machine. It is shown only now and cannot be looked up later."""
    asked = optional_number("hours")
    hours = 1 if asked is None else asked
    system = choice(System, "system", "operating system")
    home = request.form.get("home", "").strip() or "site"
    link = disk_packages.make_link(site(), slug, number, system=system, home=home, hours=hours)
    template = "versions/_link.html" if wants_fragment() else "versions/link.html"
    return render_template(template, link=link, hours=hours, slug=slug, number=number)


@versions.get("/media/<int:medium_id>/<file_name>")
@requires(Role.OPERATOR)
def download(medium_id: int, file_name: str) -> Response:
    """A medium, whole or in ranges; it may contain a token, so viewers cannot download it."""
    del file_name  # it is in the address so that browsers save the file under that name
    return medium_response(medium_id)


def medium_response(medium_id: int) -> Response:
    """A medium, or the requested range of it. Raises NotFound."""
    view, path = operations.medium_path(site(), medium_id)
    response = send_file(
        path,
        mimetype="application/octet-stream",
        as_attachment=True,
        download_name=view.file_name,
        etag=view.digest[7:],
        conditional=True,
    )
    response.headers["Cache-Control"] = "private, no-cache"
    return response


@versions.post("/media/<int:medium_id>/delete")
@requires(Role.OPERATOR)
def delete_medium(medium_id: int) -> ResponseReturnValue:
    view = operations.delete_medium(site(), medium_id)
    first = view.carried[0]
    image = image_operations.get_image(site(), first.image)
    return done(
        f"{view.file_name} deleted.",
        url_for("versions.show", slug=image.slug, number=first.number),
    )


def _own_address() -> str:
    settings = site().settings
    address = settings.told_address
    return f"http://{address}:{settings.http_port}" if address else ""
