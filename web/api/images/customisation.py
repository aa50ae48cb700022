"""What is changed about a boot image over the API: texts, properties, files, its source."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Literal

from flask_login import current_user  # type: ignore[import-untyped]
from pydantic import BaseModel, Field

from netboot.operations.images import images
from netboot.operations.images import properties as operations
from netboot.operations.images import source as image_source
from netboot.operations.points import points
from netboot.operations.versions import publication_gate as publication
from web.api.images.images import ImagePath
from web.api.jobs import Job, accepted
from web.api.subject import CONFLICTS, Order, Subject, Value, etag, expected_version
from web.api.uploads import uploaded_path
from web.guard.access import Role, site
from web.uploads.tus import handed_in

customisation = Subject(
    "customisation", "What is changed about an image: properties, files, source.", below="images"
)

FILES: dict[str, Callable[..., images.ImageView]] = {
    "background": operations.set_background,
    "boot_sdi": operations.set_boot_sdi,
}


class ExtraFile(Value):
    """A file that a build puts into the image."""

    path: str
    digest: str
    size: int


class PropertyValues(Order):
    """Properties that are values; those that are left out stay."""

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
        None, max_length=4, description="Whose boot loader UEFI machines get: 2011 or 2023."
    )


class Customisation(Value):
    """All properties of an image, and what waits about its source."""

    name: str
    slug: str
    version_label: str
    comment: str
    properties: dict[str, Any] = Field(description="Those that differ from the defaults.")
    candidate: str | None = Field(description="The newer source that was examined.")
    secrets: list[dict[str, Any]] = Field(description="Found in the image; they block publishing.")
    row_version: int


class Details(Order):
    """What people read; what is left out stays."""

    name: str | None = Field(None, min_length=1, max_length=64)
    version_label: str | None = Field(None, max_length=64)
    comment: str | None = Field(None, max_length=2000)


class ExtraFileUpload(Order):
    """An upload, and where it shall lie; without a place: with the prestart command's files."""

    upload: str = Field(description="What PUT /api/v1/uploads/{name} or tus gave as batch.")
    target: str = Field("", max_length=260, description="Like /Tools/ask.cmd.")


class FileUpload(Order):
    """An upload."""

    upload: str = Field(description="What PUT /api/v1/uploads/{name} or tus gave as batch.")


class PurposePath(ImagePath):
    """A file of an image that has one purpose."""

    purpose: Literal["background", "boot_sdi"]


class WhichFile(BaseModel):
    """An extra file by its path in the image."""

    target: str = Field(min_length=1, max_length=260)


class NewerSource(FileUpload):
    """A newer source for the image."""

    index: int | None = Field(None, ge=1, le=10_000, description="Image inside the WIM.")


class Reason(Order):
    """Why these secrets may be read by everybody who boots the image."""

    reason: str = Field(min_length=1, max_length=500)


Answer = tuple[Customisation, dict[str, str]]


def _answer(view: images.ImageView) -> Answer:
    shown = Customisation(
        name=view.name,
        slug=view.slug,
        version_label=view.version_label,
        comment=view.comment,
        properties=view.properties.to_json(),
        candidate=view.candidate.name if view.candidate else None,
        secrets=[asdict(secret) for secret in view.secrets],
        row_version=view.row_version,
    )
    return shown, etag(view.row_version)


@customisation.verb("GET", "/<slug>/customisation", needs=Role.VIEWER, gives=Customisation)
def get_customisation(path: ImagePath) -> Answer:
    """All that is changed about an image."""
    return _answer(images.get_image(site(), path.slug))


@customisation.verb(
    "PATCH", "/<slug>/details", needs=Role.OPERATOR, gives=Customisation, refuses=CONFLICTS
)
def set_details(path: ImagePath, body: Details) -> Answer:
    """Change name, version and comment; what refers to the image by name follows."""
    return _answer(
        operations.set_details(
            site(),
            path.slug,
            name=body.name,
            version_label=body.version_label,
            comment=body.comment,
            row_version=expected_version(),
        )
    )


@customisation.verb(
    "PATCH", "/<slug>/properties", needs=Role.OPERATOR, gives=Customisation, refuses=CONFLICTS
)
def set_properties(path: ImagePath, body: PropertyValues) -> Answer:
    """Change properties; machines get them with the next version."""
    changes = body.model_dump(exclude_none=True)
    return _answer(
        operations.set_properties(site(), path.slug, changes, row_version=expected_version())
    )


@customisation.verb(
    "POST", "/<slug>/files", needs=Role.OPERATOR, gives=Customisation, refuses=CONFLICTS,
    action="add_file",
)  # fmt: skip
def add_extra_file(path: ImagePath, body: ExtraFileUpload) -> Answer:
    """Put an uploaded file into the image; one at that place is replaced."""
    with uploaded_path(body.upload) as file:
        view = operations.add_file(
            site(), path.slug, file, body.target, row_version=expected_version()
        )
    return _answer(view)


@customisation.verb(
    "DELETE", "/<slug>/files", needs=Role.OPERATOR, gives=Customisation, refuses=CONFLICTS,
    action="remove_file",
)  # fmt: skip
def remove_extra_file(path: ImagePath, query: WhichFile) -> Answer:
    """Take an extra file out of the image."""
    return _answer(
        operations.remove_file(site(), path.slug, query.target, row_version=expected_version())
    )


@customisation.verb(
    "PUT", "/<slug>/files/<purpose>", needs=Role.OPERATOR, gives=Customisation, refuses=CONFLICTS
)
def set_special_file(path: PurposePath, body: FileUpload) -> Answer:
    """Use an uploaded file as the background or as boot.sdi."""
    with uploaded_path(body.upload) as file:
        view = FILES[path.purpose](site(), path.slug, file, row_version=expected_version())
    return _answer(view)


@customisation.verb(
    "DELETE", "/<slug>/files/<purpose>", needs=Role.OPERATOR, gives=Customisation,
    refuses=CONFLICTS,
)  # fmt: skip
def reset_special_file(path: PurposePath) -> Answer:
    """Use the image's own background or boot.sdi again."""
    return _answer(FILES[path.purpose](site(), path.slug, None, row_version=expected_version()))


@customisation.verb(
    "POST", "/<slug>/source/examine", needs=Role.OPERATOR, gives=Job, status=202, action="examine"
)
def examine_source(path: ImagePath, body: NewerSource) -> tuple[Job, dict[str, str]]:
    """Examine an uploaded file as a newer source; the image keeps its own until it is taken."""
    return accepted(
        handed_in(
            body.upload,
            lambda file: image_source.ask_examine(site(), path.slug, file, index=body.index),
        )
    )


@customisation.verb(
    "POST", "/<slug>/source/take", needs=Role.OPERATOR, gives=Customisation, refuses=CONFLICTS,
    action="take",
)  # fmt: skip
def take_source(path: ImagePath) -> Answer:
    """Build the image from the examined source from now on."""
    return _answer(image_source.take_source(site(), path.slug, row_version=expected_version()))


@customisation.verb(
    "POST", "/<slug>/source/give-up", needs=Role.OPERATOR, gives=Customisation, action="give_up"
)
def give_up_source(path: ImagePath) -> Answer:
    """Keep the source that the image has."""
    return _answer(image_source.give_up_source(site(), path.slug))


@customisation.verb("POST", "/<slug>/accept-secrets", needs=Role.OPERATOR, gives=Customisation)
def accept_secrets(path: ImagePath, body: Reason) -> Answer:
    """Let the image be published with the secrets that it holds, for a reason."""
    return _answer(publication.accept_secrets(site(), path.slug, body.reason, by=current_user.name))


@customisation.verb(
    "POST", "/<slug>/verify", needs=Role.OPERATOR, gives=Job, status=202, action="verify"
)
def verify_image(path: ImagePath) -> tuple[Job, dict[str, str]]:
    """Read every byte that is served of the image."""
    return accepted(points.ask_verify(site(), path.slug))
