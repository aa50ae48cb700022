"""One version: network, boot media and local disk."""

from flask import Blueprint, Response, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue

from netboot.errors import InvalidInput
from netboot.images.media.disk_package import System
from netboot.images.media.request import DiskFormat, MediaKind, MediaOrder
from netboot.operations import jobs
from netboot.operations.images import images as image_operations
from netboot.operations.media import disk_packages
from netboot.operations.media import media as operations
from web.guard.access import Role, requires, site
from web.live.parts import page
from web.responses import done, wants_fragment

versions = Blueprint("versions", __name__, url_prefix="/images")


@versions.get("/<slug>/versions/<int:number>")
@requires(Role.VIEWER)
def show(slug: str, number: int) -> str:
    """One version with its three ways of delivery side by side."""
    return page("versions/show.html", f"version:{slug}/{number}", address=_own_address())


@versions.post("/<slug>/versions/<int:number>/media")
@requires(Role.OPERATOR)
def build_media(slug: str, number: int) -> ResponseReturnValue:
    """Queue boot media of this version, optionally with the newest version of a second image."""
    form = request.form
    image = image_operations.get_image(site(), slug)
    order = MediaOrder(
        kind=_kind(form.get("kind", "")),
        format=_format(form.get("format", "")),
        label=form.get("label", "").strip().upper() or "NETBOOT",
        expires=form.get("expires", "").strip(),
        password_hash=operations.hashed(form.get("password", "")),
        home=operations.home_of(site(), form.get("home", "").strip()),
        size=_size(form.get("size", "").strip()),
    )
    wanted = [(image.name, number)]
    if form.get("other"):
        other = operations.find_version(site(), form["other"], 0)
        wanted.append((other.image, other.number))
    title = operations.check(site(), order, wanted)
    jobs.submit(
        site(),
        "build_media",
        {"image": image.name, "order": order.to_json(), "versions": wanted},
        title=title,
    )
    return done(
        "Creating boot media. It appears below when finished.",
        url_for("versions.show", slug=slug, number=number),
    )


@versions.post("/<slug>/versions/<int:number>/package")
@requires(Role.OPERATOR)
def make_package(slug: str, number: int) -> ResponseReturnValue:
    """Create a link for one machine. It is shown only now and cannot be looked up later."""
    image = image_operations.get_image(site(), slug)
    hours = _hours(request.form.get("hours", "").strip())
    link = disk_packages.make_link(
        site(),
        image.name,
        number,
        system=_system(request.form.get("system", "")),
        home=request.form.get("home", "").strip() or "site",
        hours=hours,
    )
    template = "versions/_link.html" if wants_fragment() else "versions/link.html"
    return render_template(template, link=link, hours=hours, slug=slug, number=number)


@versions.get("/media/<int:medium_id>/<file_name>")
@requires(Role.OPERATOR)
def download(medium_id: int, file_name: str) -> Response:
    """A medium, whole or in ranges; it may contain a token, so viewers cannot download it."""
    del file_name  # it stands in the address for whoever saves it under that name
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
    return f"http://{settings.address}:{settings.http_port}" if settings.address else ""


def _kind(text: str) -> MediaKind:
    try:
        return MediaKind(text)
    except ValueError:
        raise InvalidInput(f"unknown media kind {text[:40]!r}") from None


def _format(text: str) -> DiskFormat:
    try:
        return DiskFormat(text or "raw")
    except ValueError:
        raise InvalidInput(f"unknown disk image format {text[:40]!r}") from None


def _size(text: str) -> int:
    """MiB as bytes; 0 means the minimum size."""
    if not text:
        return 0
    if not text.isdecimal() or len(text) > 9:
        raise InvalidInput(
            f"{text[:40]!r} is not a valid disk size",
            hint="Enter the size in MiB, for example 4096.",
        )
    return int(text) << 20


def _hours(text: str) -> int:
    if not text:
        return 1
    if not text.isdecimal() or len(text) > 9:
        raise InvalidInput(f"{text[:40]!r} is not a valid number of hours")
    return int(text)


def _system(text: str) -> System:
    try:
        return System(text)
    except ValueError:
        raise InvalidInput(f"packages support linux or windows, not {text[:40]!r}") from None
