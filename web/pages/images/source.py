"""One boot image's source: what is known about it, and a newer one in its place."""

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user  # type: ignore[import-untyped]

from netboot.operations.images import images
from netboot.operations.images import source as operations
from netboot.operations.versions import publication_gate as publication
from web.guard.access import Role, requires, site
from web.live.parts import page
from web.responses import done
from web.show.forms import number, optional_number
from web.uploads.tus import handed_in

images_source = Blueprint("images_source", __name__, url_prefix="/images")


@images_source.get("/<slug>/source")
@requires(Role.VIEWER)
def show(slug: str) -> str:
    """Facts of the source, and the report of a newer one where that waits."""
    return page("images/source.html", f"source:{slug}")


@images_source.post("/<slug>/source/examine")
@requires(Role.OPERATOR)
def examine(slug: str) -> ResponseReturnValue:
    """Hand an uploaded file to the worker, to be examined as a newer source."""
    index = optional_number("index")
    handed_in(
        request.form.get("upload", ""),
        lambda path: operations.ask_examine(site(), slug, path, index=index),
    )
    return done("The file is being examined; the report appears here.", url_for(".show", slug=slug))


@images_source.post("/<slug>/source/take")
@requires(Role.OPERATOR)
def take(slug: str) -> ResponseReturnValue:
    """Build the image from the examined source from now on."""
    image = operations.take_source(site(), slug, row_version=number("row_version"))
    return done(
        f"{image.name} is built from {image.source_name} from now on. Build a new version.",
        url_for("images.show", slug=image.slug),
    )


@images_source.post("/<slug>/source/give-up")
@requires(Role.OPERATOR)
def give_up(slug: str) -> ResponseReturnValue:
    """Keep the source that the image has."""
    image = operations.give_up_source(site(), slug)
    return done(f"{image.name} keeps its source.", _here(image))


@images_source.post("/<slug>/accept-secrets")
@requires(Role.OPERATOR)
def accept_secrets(slug: str) -> ResponseReturnValue:
    """Let the image be published with the secrets that it holds, for a reason."""
    image = publication.accept_secrets(
        site(), slug, request.form.get("reason", ""), by=current_user.name
    )
    return done(
        f"{image.name} may be published. Secrets that come later block it again.",
        url_for("images.show", slug=image.slug),
    )


def _here(image: images.ImageView) -> str:
    return url_for("images_source.show", slug=image.slug)
