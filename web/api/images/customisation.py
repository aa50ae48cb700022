"""Customisation of a boot image over the API: name, properties, files and source."""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any, Literal

from flask_login import current_user  # type: ignore[import-untyped]
from pydantic import BaseModel, BeforeValidator, Field

from netboot.images.boot_image.properties import Properties
from netboot.operations.images import curl, images
from netboot.operations.images import properties as operations
from netboot.operations.images import source as image_source
from netboot.operations.points import points
from netboot.operations.versions import publication_gate as publication
from web.api.images.images import ImagePath
from web.api.jobs import Accepted, accepted
from web.api.subject import CONFLICTS, Order, Subject, Tagged, Value, expected_version, tagged
from web.api.uploads import FileUpload, uploaded_path
from web.guard.access import Role, site
from web.uploads.tus import handed_in

customisation = Subject(
    "customisation", "Customisation of a boot image: properties, files, source.", below="images"
)

FILES: dict[str, Callable[..., images.ImageView]] = {
    "background": operations.set_background,
    "boot_sdi": operations.set_boot_sdi,
}


class ExtraFile(Value):
    """A file that the build adds to the boot image."""

    path: str
    digest: str
    size: int


class PropertyValues(Order):
    """Property values; fields that are left out stay as they are."""

    scratch_space_mb: int | None = Field(None, ge=0, le=4096)
    prestart_command: str | None = Field(None, max_length=1000)
    command_shell: bool | None = None
    keyboard: str | None = Field(None, max_length=20)
    locale: str | None = Field(None, max_length=20)
    report_home: str | None = Field(None, max_length=200)
    tftp_block_size: int | None = Field(None, ge=0, le=65_464)
    tftp_window_size: int | None = Field(None, ge=0, le=64)
    menu_seconds: int | None = Field(None, ge=0, le=3600)
    bios_chain: str | None = Field(None, max_length=20)
    uefi_chain: str | None = Field(None, max_length=20)
    uefi_authority: str | None = Field(
        None, max_length=4, description="Authority of the UEFI boot loader: 2011 or 2023."
    )


class Customisation(Value):
    """All properties of a boot image, its candidate source and its secrets."""

    name: str
    slug: str
    version_label: str
    comment: str
    properties: Annotated[dict[str, Any], BeforeValidator(Properties.to_json)] = Field(
        description="Properties that differ from the default."
    )
    candidate: Annotated[str | None, BeforeValidator(lambda newer: newer and newer.name)] = Field(
        description="The newer source that needs a decision."
    )
    secrets: list[Annotated[dict[str, Any], BeforeValidator(asdict)]] = Field(
        description="Secrets found in the boot image; they block publication."
    )
    row_version: int


class Details(Order):
    """Name, version and comment; fields that are left out stay as they are."""

    name: str | None = Field(None, min_length=1, max_length=64)
    version_label: str | None = Field(None, max_length=64)
    comment: str | None = Field(None, max_length=2000)


class ExtraFileUpload(FileUpload):
    """An upload and its path in the image; without a path, it joins the prestart files."""

    target: str = Field("", max_length=260, description="For example /Tools/ask.cmd.")


class CurlOf(Order):
    """The boot image whose curl.exe is added."""

    lender: str = Field("", max_length=100, description="Name or slug; empty for any.")


class PurposePath(ImagePath):
    """A special file of a boot image: the background or boot.sdi."""

    purpose: Literal["background", "boot_sdi"]


class WhichFile(BaseModel):
    """An extra file by its path in the image."""

    target: str = Field(min_length=1, max_length=260)


class NewerSource(FileUpload):
    """A newer source for the boot image."""

    index: int | None = Field(None, ge=1, le=10_000, description="Image number in the WIM.")


class Reason(Order):
    """Why it is acceptable that anyone who boots the image can read its secrets."""

    reason: str = Field(min_length=1, max_length=500)


Answer = Tagged[Customisation]


def _answer(view: images.ImageView) -> Answer:
    return tagged(Customisation, view)


@customisation.verb("GET", "/<slug>/customisation", needs=Role.VIEWER)
def get_customisation(path: ImagePath) -> Answer:
    """Get all customisation of a boot image."""
    return _answer(images.get_image(site(), path.slug))


@customisation.verb(
    "PATCH", "/<slug>/details", needs=Role.OPERATOR, refuses=CONFLICTS, current=get_customisation
)
def set_details(path: ImagePath, body: Details) -> Answer:
    """Change name, version and comment. Deployments follow a new name."""
    version, changes = expected_version(), body.model_dump()
    return _answer(operations.set_details(site(), path.slug, **changes, row_version=version))


@customisation.verb(
    "PATCH", "/<slug>/properties", needs=Role.OPERATOR, refuses=CONFLICTS, current=get_customisation
)
def set_properties(path: ImagePath, body: PropertyValues) -> Answer:
    """Change properties. They take effect with the next version."""
    version, changes = expected_version(), body.model_dump(exclude_none=True)
    return _answer(operations.set_properties(site(), path.slug, changes, row_version=version))


@customisation.verb(
    "POST",
    "/<slug>/files",
    needs=Role.OPERATOR,
    refuses=CONFLICTS,
    current=get_customisation,
    action="add_file",
)
def add_extra_file(path: ImagePath, body: ExtraFileUpload) -> Answer:
    """Add an uploaded file to the boot image, replacing a file at the same path."""
    version = expected_version()
    with uploaded_path(body.upload) as file:
        view = operations.add_file(site(), path.slug, file, body.target, row_version=version)
    return _answer(view)


@customisation.verb(
    "DELETE",
    "/<slug>/files",
    needs=Role.OPERATOR,
    refuses=CONFLICTS,
    current=get_customisation,
    action="remove_file",
)
def remove_extra_file(path: ImagePath, query: WhichFile) -> Answer:
    """Remove an extra file from the boot image."""
    version = expected_version()
    return _answer(operations.remove_file(site(), path.slug, query.target, row_version=version))


@customisation.verb(
    "POST", "/<slug>/add-curl", needs=Role.OPERATOR, refuses=CONFLICTS, action="add_curl"
)
def add_curl(path: ImagePath, body: CurlOf) -> Answer:
    """Add the curl.exe of another boot image, so that this one can report."""
    version = expected_version()
    return _answer(curl.add_curl(site(), path.slug, lender=body.lender, row_version=version))


@customisation.verb(
    "PUT",
    "/<slug>/files/<purpose>",
    needs=Role.OPERATOR,
    refuses=CONFLICTS,
    current=get_customisation,
)
def set_special_file(path: PurposePath, body: FileUpload) -> Answer:
    """Use an uploaded file as the background or as boot.sdi."""
    with uploaded_path(body.upload) as file:
        view = FILES[path.purpose](site(), path.slug, file, row_version=expected_version())
    return _answer(view)


@customisation.verb(
    "DELETE",
    "/<slug>/files/<purpose>",
    needs=Role.OPERATOR,
    refuses=CONFLICTS,
    current=get_customisation,
)
def reset_special_file(path: PurposePath) -> Answer:
    """Use the image's own background or boot.sdi again."""
    return _answer(FILES[path.purpose](site(), path.slug, None, row_version=expected_version()))


@customisation.verb(
    "POST", "/<slug>/source/examine", needs=Role.OPERATOR, status=202, action="examine"
)
def examine_source(path: ImagePath, body: NewerSource) -> Accepted:
    """Examine an upload as a newer source. The current source stays until you accept it."""
    ask = partial(image_source.ask_examine, site(), path.slug, index=body.index)
    return accepted(handed_in(body.upload, ask))


@customisation.verb(
    "POST",
    "/<slug>/source/take",
    needs=Role.OPERATOR,
    refuses=CONFLICTS,
    current=get_customisation,
    action="take",
)
def take_source(path: ImagePath) -> Answer:
    """Use the examined source for future versions."""
    return _answer(image_source.take_source(site(), path.slug, row_version=expected_version()))


@customisation.verb("POST", "/<slug>/source/give-up", needs=Role.OPERATOR, action="give_up")
def give_up_source(path: ImagePath) -> Answer:
    """Discard the examined source and keep the current one."""
    return _answer(image_source.give_up_source(site(), path.slug))


@customisation.verb("POST", "/<slug>/accept-secrets", needs=Role.OPERATOR)
def accept_secrets(path: ImagePath, body: Reason) -> Answer:
    """Allow publication of a boot image with secrets, with a reason."""
    return _answer(publication.accept_secrets(site(), path.slug, body.reason, by=current_user.name))


@customisation.verb("POST", "/<slug>/verify", needs=Role.OPERATOR, status=202, action="verify")
def verify_image(path: ImagePath) -> Accepted:
    """Verify all served files of the boot image."""
    return accepted(points.ask_verify(site(), path.slug))
