"""Boot images over the API."""

from functools import partial
from operator import attrgetter
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field

from netboot.images.architecture import Architecture
from netboot.images.servicing.shortfalls import Shortfall
from netboot.images.versions.content_version import DriverInVersion
from netboot.operations.images import images as operations
from netboot.operations.images.properties import set_details
from netboot.operations.machines.recipients import who_gets
from netboot.operations.points import points
from netboot.operations.versions import versions
from web.api.jobs import Accepted, accepted
from web.api.subject import (
    CONFLICTS,
    LARGEST_NUMBER,
    Items,
    Listed,
    Order,
    Page,
    Subject,
    Tagged,
    Value,
    expected_version,
    items_of,
    page_of,
    tagged,
)
from web.api.uploads import FileUpload
from web.guard.access import Role, site
from web.uploads.tus import handed_in

images = Subject("images", "Boot images: source, recipe, versions, distribution.")


class ImagePath(BaseModel):
    """A boot image by its slug, the form of its name that URLs use."""

    slug: str = Field(min_length=1, max_length=100)


class ImageDriverPath(ImagePath):
    """A driver in a boot image."""

    driver: str = Field(min_length=1, max_length=100, description="Digest or name.")


class HeldDriver(Value):
    """A driver in a recipe."""

    digest: str
    name: str
    version: str
    enabled: bool


class VersionFile(Value):
    """One file of a version."""

    name: str
    digest: str
    size: int


class Lacking(Value):
    """Something that an image cannot do although its recipe asks for it."""

    text: str
    fix: str
    program: str = Field(description="The program that it lacks, or empty.")
    drivers: list[str] = Field(description="Digests of drivers in the catalog that would help.")


class Does(Value):
    """Something that an image will do on machines, or will not."""

    name: str
    can: bool | None = Field(
        description="null if it is not known, or depends on what is outside the image."
    )
    text: str


def _lacking(found: Shortfall) -> dict[str, object]:
    drivers = [digest for digest, _ in found.fixes]
    return {"text": found.text, "fix": found.fix, "program": found.program, "drivers": drivers}


def _driver_label(driver: DriverInVersion) -> str:
    return f"{driver.name} {driver.version}"


class Version(Value):
    """A content version: numbered and never changed."""

    number: int
    built_at: float
    comment: str
    recipe_digest: str
    chains: list[str]
    drivers: list[Annotated[str, BeforeValidator(_driver_label)]]
    files: list[VersionFile]


class Image(Value):
    """A boot image. `distribution` compares the served version with the newest one."""

    name: str
    slug: str
    architecture: str
    comment: str
    source_name: str
    source_digest: str
    source_size: int
    drivers: list[HeldDriver]
    disabled_drivers: list[str]
    versions: list[Annotated[int, BeforeValidator(attrgetter("number"))]] = Field(
        description="Numbers, newest first."
    )
    served_version: int | None
    needs_build: bool
    distribution: str
    is_default: bool
    abilities: list[Does] = Field(
        description="Firmware, Secure Boot, report, drivers and optional components."
    )
    shortfalls: list[Annotated[Lacking, BeforeValidator(_lacking)]] = Field(
        description="What the recipe asks for and the image cannot do. In lists of images, only "
        "what needs no look into its drivers."
    )
    row_version: int = Field(description="Version of the recipe; also returned as ETag.")


class Recipients(Value):
    """Who gets an image at the next boot."""

    image: str
    default: str = Field(description="The default image for its architecture; empty if none.")
    is_default: bool
    assigned: int = Field(description="Number of MAC addresses that it is assigned to.")
    machines: int = Field(description="Number of known machines that get it.")
    anyone: bool = Field(description="Whether any machine would get it.")
    words: str


class ImageChange(Order):
    """The changes; fields that are left out stay as they are."""

    name: str | None = Field(None, min_length=1, max_length=64)
    comment: str | None = Field(None, max_length=2000)


class ImageImport(FileUpload):
    """A new boot image from an upload."""

    name: str = Field(min_length=1, max_length=100)
    architecture: Architecture | None = Field(
        None, description="Reject the file unless it has this architecture."
    )
    index: int | None = Field(None, ge=1, le=10_000, description="Image number in the WIM.")
    comment: str = Field("", max_length=2000)


class TypedName(BaseModel):
    """The confirmation."""

    name: str = Field("", max_length=100, description="The name of the image, if it is served.")


class PendingChange(Value):
    """One difference between the newest version and what the next build makes."""

    name: str
    before: str
    after: str
    words: str


class DriversToAdd(Order):
    """Drivers by digest or name; all are added, or none."""

    drivers: list[str] = Field(min_length=1, max_length=200)
    confirmed: bool = Field(
        default=False, description="Also add drivers that are not for network or storage."
    )
    enable: bool = Field(default=False, description="Enable the drivers first.")


class OlderVersion(Order):
    """A version that the distribution point still has."""

    number: int = Field(ge=1, le=LARGEST_NUMBER)


@images.verb("GET", "", needs=Role.VIEWER)
def list_images(query: Page) -> Listed[Image]:
    """List all boot images, sorted by name."""
    return page_of(Image, operations.list_images(site()), query)


@images.verb("POST", "", needs=Role.OPERATOR, status=202, action="import_image")
def import_image(body: ImageImport) -> Accepted:
    """Import an uploaded WIM as a new boot image."""
    values = body.model_dump(exclude={"upload"})
    return accepted(handed_in(body.upload, partial(operations.ask_import, site(), **values)))


@images.verb("GET", "/<slug>", needs=Role.VIEWER)
def get_image(path: ImagePath) -> Tagged[Image]:
    """Get a boot image."""
    return tagged(Image, operations.get_image(site(), path.slug))


@images.verb("GET", "/<slug>/recipients", needs=Role.VIEWER)
def get_recipients(path: ImagePath) -> Recipients:
    """Get who gets a boot image: by default, by assignment, and how many known machines."""
    return Recipients.of(who_gets(site(), operations.get_image(site(), path.slug)))


@images.verb(
    "PATCH",
    "/<slug>",
    needs=Role.OPERATOR,
    action="set_comment",
    refuses=CONFLICTS,
    current=get_image,
)
def change_image(path: ImagePath, body: ImageChange) -> Tagged[Image]:
    """Change the name or comment. With If-Match, only if nothing changed in the meantime."""
    version = expected_version()
    return tagged(Image, set_details(site(), path.slug, **body.model_dump(), row_version=version))


@images.verb("DELETE", "/<slug>", needs=Role.ADMIN, action="delete")
def delete_image(path: ImagePath, query: TypedName) -> None:
    """Delete a boot image and stop serving it. A served one needs its name as confirmation."""
    operations.delete_image(site(), path.slug, typed=query.name)


@images.verb("GET", "/<slug>/versions", needs=Role.VIEWER)
def list_versions(path: ImagePath, query: Page) -> Listed[Version]:
    """List the versions of a boot image with their files, newest first."""
    return page_of(Version, operations.get_image(site(), path.slug).versions, query)


@images.verb(
    "POST",
    "/<slug>/drivers",
    needs=Role.OPERATOR,
    action="add_driver",
    refuses=CONFLICTS,
    current=get_image,
)
def add_drivers(path: ImagePath, body: DriversToAdd) -> Tagged[Image]:
    """Add drivers to the recipe. Nothing is built, and the served version does not change."""
    version, wanted = expected_version(), body.model_dump()
    return tagged(Image, operations.add_drivers(site(), path.slug, **wanted, row_version=version))


@images.verb(
    "DELETE",
    "/<slug>/drivers/<driver>",
    needs=Role.OPERATOR,
    action="remove_driver",
    refuses=CONFLICTS,
    current=get_image,
)
def remove_driver(path: ImageDriverPath) -> Tagged[Image]:
    """Remove a driver from the recipe."""
    version = expected_version()
    changed = operations.remove_driver(site(), path.slug, path.driver, row_version=version)
    return tagged(Image, changed)


@images.verb(
    "POST",
    "/<slug>/arrange-drivers",
    needs=Role.OPERATOR,
    action="arrange_drivers",
    refuses=CONFLICTS,
    current=get_image,
)
def arrange_drivers(path: ImagePath) -> Tagged[Image]:
    """Sort the drivers in the recipe as known conflicts require."""
    version = expected_version()
    return tagged(Image, operations.arrange_drivers(site(), path.slug, row_version=version))


@images.verb("GET", "/<slug>/pending-changes", needs=Role.VIEWER)
def list_pending_changes(path: ImagePath) -> Items[PendingChange]:
    """List what the next build would change, compared with the newest version."""
    return items_of(PendingChange, versions.list_pending(site(), path.slug))


@images.verb("POST", "/<slug>/build", needs=Role.OPERATOR, status=202, action="build")
def build_version(path: ImagePath) -> Accepted:
    """Build the next version. Machines get it after Update Distribution Points."""
    return accepted(versions.ask_build(site(), path.slug))


@images.verb(
    "POST",
    "/<slug>/update-distribution-points",
    needs=Role.OPERATOR,
    status=202,
    action="update_distribution_points",
)
def update_distribution_points(path: ImagePath) -> Accepted:
    """Distribute the newest version. Machines get it from then on."""
    return accepted(points.ask_update(site(), path.slug))


@images.verb("POST", "/<slug>/roll-back", needs=Role.OPERATOR, action="roll_back")
def roll_back(path: ImagePath, body: OlderVersion) -> Tagged[Image]:
    """Serve an older version again."""
    points.rollback(site(), path.slug, body.number)
    return tagged(Image, operations.get_image(site(), path.slug))


@images.verb("PUT", "/<slug>/default", needs=Role.OPERATOR, action="set_default")
def set_default_image(path: ImagePath) -> Tagged[Image]:
    """Make this the default image for its architecture."""
    return tagged(Image, operations.set_default(site(), path.slug))
