"""The source of a boot image, and a newer source that needs a decision."""

from functools import partial

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
    return page("images/source.html", f"source:{slug}")


@images_source.post("/<slug>/source/examine")
@requires(Role.OPERATOR)
def examine(slug: str) -> ResponseReturnValue:
    ask = partial(operations.ask_examine, site(), slug, index=optional_number("index"))
    job = handed_in(request.form.get("upload", ""), ask)
    return done("Examining the file.", url_for(".show", slug=slug), job=job)


@images_source.post("/<slug>/source/take")
@requires(Role.OPERATOR)
def take(slug: str) -> ResponseReturnValue:
    """Use the examined source for future versions."""
    image = operations.take_source(site(), slug, row_version=number("row_version"))
    return done(
        f"{image.name} now uses {image.source_name}. Build a new version.",
        url_for("images.show", slug=image.slug),
    )


@images_source.post("/<slug>/source/give-up")
@requires(Role.OPERATOR)
def give_up(slug: str) -> ResponseReturnValue:
    image = operations.give_up_source(site(), slug)
    return done(f"{image.name} keeps its current source.", _here(image))


@images_source.post("/<slug>/accept-secrets")
@requires(Role.OPERATOR)
def accept_secrets(slug: str) -> ResponseReturnValue:
    """Allow publication of a boot image with secrets, with a reason."""
    image = publication.accept_secrets(
        site(), slug, request.form.get("reason", ""), by=current_user.name
    )
    return done(
        f"{image.name} can be published. New secrets block publication again.",
        url_for("images.show", slug=image.slug),
    )


def _here(image: images.ImageView) -> str:
    return url_for("images_source.show", slug=image.slug)
