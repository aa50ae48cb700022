"""Customisation of a boot image: properties and files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user  # type: ignore[import-untyped]

from netboot.errors import InvalidInput
from netboot.images.boot_image import uefi_loader
from netboot.images.boot_image.properties import (
    CHAINS,
    PROPERTY_WORDS,
    SCRATCH_SPACES,
    Properties,
)
from netboot.operations.boots import network
from netboot.operations.images import curl, images
from netboot.operations.images import properties as operations
from web.guard.access import Role, requires, site
from web.guard.audit_trail import AS_READ
from web.guard.edits import Clash, merge
from web.live.parts import page
from web.responses import done
from web.show.forms import number, to_number
from web.uploads.tus import shelf

images_custom = Blueprint("images_custom", __name__, url_prefix="/images")

PURPOSES: dict[str, tuple[str, Callable[..., Any]]] = {
    "prestart": ("File for the prestart command", operations.add_file),
    "extra": ("Other file", operations.add_file),
    "background": ("Background picture (JPEG)", operations.set_background),
    "boot_sdi": ("boot.sdi", operations.set_boot_sdi),
}
"""Purposes of an uploaded file: label and operation."""

_TEXTS = (
    *("prestart_command", "keyboard", "locale", "report_home"),
    *("bios_chain", "uefi_chain", "uefi_authority"),
)
DETAILS = {"name": "Name", "version_label": "Version", "comment": "Comment"}
_NUMBERS = ("scratch_space_mb", "menu_seconds", "tftp_block_size", "tftp_window_size")

_BOXES = ("command_shell",)
LABELS = {
    name: words for name, words in PROPERTY_WORDS.items() if name in (*_TEXTS, *_NUMBERS, *_BOXES)
}
"""The fields of the form, as a conflict names them."""


@images_custom.get("/<slug>/customisation")
@requires(Role.VIEWER)
def show(slug: str) -> str:
    """All properties; those that the image does not support are disabled."""
    image = images.get_image(site(), slug)
    return page(
        "images/customisation.html",
        image=image,
        as_read=_shown(image.properties),
        scratch_spaces=SCRATCH_SPACES,
        chains=CHAINS,
        authorities=uefi_loader.AUTHORITIES,
        loaders=uefi_loader.held(image.facts.boot_files),
        site_authority=site().settings.uefi_authority,
        tell_command=uefi_loader.TELL_COMMAND,
        reports_here=_reports_here(),
        purposes={key: words for key, (words, _operation) in PURPOSES.items()},
    )


@images_custom.post("/<slug>/details")
@requires(Role.OPERATOR)
def set_details(slug: str) -> ResponseReturnValue:
    """Change name, version and comment; another user's changes to other fields are kept."""
    number("row_version")
    before = images.get_image(site(), slug)
    now = {name: str(getattr(before, name)) for name in DETAILS}
    edit = merge(DETAILS, now, version=before.row_version)
    image = operations.set_details(
        site(),
        slug,
        name=edit.values.get("name"),
        version_label=edit.values.get("version_label", "").strip(),
        comment=edit.values.get("comment", "").replace("\r\n", "\n").strip(),
        row_version=before.row_version,
    )
    if image.name == before.name:
        return done(f"Version and comment saved.{edit.words}", _here(image))
    words = f"{before.name} renamed to {image.name}. Deployments and defaults follow."
    return done(words + edit.words, _here(image))


@images_custom.post("/<slug>/properties")
@requires(Role.OPERATOR)
def set_properties(slug: str) -> ResponseReturnValue:
    """Change property values; values that the image does not support are rejected."""
    number("row_version")
    before = images.get_image(site(), slug)
    edit = merge(LABELS, _shown(before.properties), version=before.row_version, boxes=_BOXES)
    changes: dict[str, Any] = {
        name: edit.values[name].strip() for name in _TEXTS if name in edit.values
    }
    changes |= {name: to_number(edit.values[name]) for name in _NUMBERS if name in edit.values}
    changes["command_shell"] = edit.values["command_shell"] == "yes"
    image = operations.set_properties(site(), slug, changes, row_version=before.row_version)
    return done(_SAVED + edit.words, _here(image))


def _shown(properties: Properties) -> dict[str, str]:
    """The properties as the form sends them."""
    texts = {name: str(getattr(properties, name)) for name in (*_TEXTS, *_NUMBERS)}
    return texts | {"command_shell": "yes" if properties.command_shell else ""}


@images_custom.post("/<slug>/files/add")
@requires(Role.OPERATOR)
def add_file(slug: str) -> ResponseReturnValue:
    """Add an uploaded file to the recipe, for the selected purpose."""
    purpose = request.form.get("purpose", "")
    if purpose not in PURPOSES:
        raise InvalidInput("select the purpose of the file", hint="Select a purpose in the list.")
    target = request.form.get("target", "").strip()
    if purpose == "extra" and not target:
        raise InvalidInput(
            "enter the path of the file in the image", hint="For example /Tools/ask.cmd."
        )
    upload = shelf().file(request.form.get("upload", ""), owner=current_user.id)
    words: tuple[Path | str, ...] = (upload.path, target) if purpose == "extra" else (upload.path,)
    # Adding takes nothing away from others; only a picture or boot.sdi that another user has
    # replaced meanwhile must not be replaced unseen.
    number("row_version")
    before = images.get_image(site(), slug)
    version = None
    if (was := request.form.get(f"{AS_READ}{purpose}")) is not None:
        held = str(getattr(before.properties, purpose))
        if was != held:
            raise _replaced(purpose, held)
        version = before.row_version
    image = PURPOSES[purpose][1](site(), slug, *words, row_version=version)
    shelf().forget(upload)
    return done(_SAVED, _here(image))


@images_custom.post("/<slug>/add-curl")
@requires(Role.OPERATOR)
def add_curl(slug: str) -> ResponseReturnValue:
    """Add the curl.exe of another boot image, so that this one can report."""
    image = curl.add_curl(site(), slug, lender=request.form.get("lender", ""))
    undo = (url_for(".remove_file", slug=slug), {"purpose": "extra", "target": curl.PATH})
    words = "curl.exe added. Build a new version to apply the change."
    return done(words, url_for("images.show", slug=image.slug), undo=undo)


@images_custom.post("/<slug>/files/remove")
@requires(Role.OPERATOR)
def remove_file(slug: str) -> ResponseReturnValue:
    """Remove a file from the recipe: an extra file by its path, the background or boot.sdi."""
    purpose = request.form.get("purpose", "")
    if purpose == "extra":
        image = operations.remove_file(site(), slug, request.form.get("target", ""))
    elif purpose in PURPOSES and purpose != "prestart":
        image = PURPOSES[purpose][1](site(), slug, None)
    else:
        raise InvalidInput("select a file")
    return done(_SAVED, _here(image))


def _replaced(purpose: str, held: str) -> Clash:
    """Another user has replaced this file: sending the same again replaces theirs."""
    again = {
        name: value
        for name, value in request.form.items()
        if name not in {"csrf_token", AS_READ + purpose}
    }
    return Clash((), {**again, AS_READ + purpose: held}, what=PURPOSES[purpose][0])


_SAVED = "Saved. Build and distribute a new version to apply the change."


def _reports_here() -> str:
    """This site's report address, if the boot services have published it."""
    serving = network.serving(site())
    return f"http://{serving.address}:{site().settings.http_port}" if serving else ""


def _here(image: images.ImageView) -> str:
    return url_for("images_custom.show", slug=image.slug)
