"""Boot images over the API."""

from pydantic import BaseModel, Field

from netboot.errors import OperatorFault
from netboot.images.architecture import Architecture
from netboot.images.versions.content_version import ContentVersion
from netboot.operations import jobs as work
from netboot.operations.images import images as operations
from netboot.operations.images.images import ImageView
from netboot.operations.images.properties import set_details
from netboot.operations.points import points
from web.api.jobs import Job, accepted
from web.api.subject import (
    CONFLICTS,
    LARGEST_NUMBER,
    Listed,
    Order,
    Page,
    Subject,
    Value,
    etag,
    expected_version,
    listed_of,
)
from web.api.uploads import uploaded_file
from web.guard.access import Role, site

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


class Version(Value):
    """A content version: numbered and never changed."""

    number: int
    built_at: float
    comment: str
    recipe_digest: str
    chains: list[str]
    drivers: list[str]
    files: list[VersionFile]

    @staticmethod
    def of(version: ContentVersion) -> "Version":
        return Version(
            number=version.number,
            built_at=version.built_at,
            comment=version.comment,
            recipe_digest=version.recipe_digest,
            chains=list(version.chains),
            drivers=[f"{driver.name} {driver.version}" for driver in version.drivers],
            files=[VersionFile.model_validate(file) for file in version.files],
        )


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
    versions: list[int] = Field(description="Numbers, newest first.")
    served_version: int | None
    needs_build: bool
    distribution: str
    is_default: bool
    row_version: int = Field(description="Version of the recipe; also returned as ETag.")

    @staticmethod
    def of(view: ImageView) -> "Image":
        """An image as pages show it."""
        return Image(
            name=view.name,
            slug=view.slug,
            architecture=view.architecture.value,
            comment=view.comment,
            source_name=view.source_name,
            source_digest=view.source_digest,
            source_size=view.source_size,
            drivers=[HeldDriver.model_validate(driver) for driver in view.drivers],
            disabled_drivers=list(view.disabled_drivers),
            versions=[version.number for version in view.versions],
            served_version=view.served_version,
            needs_build=view.needs_build,
            distribution=str(view.distribution),
            is_default=view.is_default,
            row_version=view.row_version,
        )


class Images(Listed):
    """A page of boot images, sorted by name."""

    items: list[Image]


class Versions(Listed):
    """A page of versions, newest first."""

    items: list[Version]


class ImageChange(Order):
    """The changes; fields that are left out stay as they are."""

    name: str | None = Field(None, min_length=1, max_length=64)
    comment: str | None = Field(None, max_length=2000)


class ImageImport(Order):
    """A new boot image from an upload."""

    name: str = Field(min_length=1, max_length=100)
    upload: str = Field(description="The batch of an upload (PUT /api/v1/uploads/{name} or tus).")
    architecture: Architecture | None = Field(
        None, description="Reject the file unless it has this architecture."
    )
    index: int | None = Field(None, ge=1, le=10_000, description="Image number in the WIM.")
    comment: str = Field("", max_length=2000)


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


def _answer(view: ImageView) -> tuple[Image, dict[str, str]]:
    return Image.of(view), etag(view.row_version)


@images.verb("GET", "", needs=Role.VIEWER, gives=Images)
def list_images(query: Page) -> Images:
    """List all boot images, sorted by name."""
    found = operations.list_images(site())
    return listed_of(Images, found, query, Image.of)


@images.verb("POST", "", needs=Role.OPERATOR, gives=Job, status=202, action="import_image")
def import_image(body: ImageImport) -> tuple[Job, dict[str, str]]:
    """Import an uploaded WIM as a new boot image."""
    return accepted(
        uploaded_file(
            body.upload,
            "import_image",
            title=f"Import {body.name}",
            name=body.name,
            architecture=body.architecture.value if body.architecture else None,
            index=body.index,
            comment=body.comment,
        )
    )


@images.verb("GET", "/<slug>", needs=Role.VIEWER, gives=Image)
def get_image(path: ImagePath) -> tuple[Image, dict[str, str]]:
    """Get a boot image."""
    return _answer(operations.get_image(site(), path.slug))


@images.verb(
    "PATCH", "/<slug>", needs=Role.OPERATOR, gives=Image, action="set_comment", refuses=CONFLICTS
)
def change_image(path: ImagePath, body: ImageChange) -> tuple[Image, dict[str, str]]:
    """Change the name or comment. With If-Match, only if nothing changed in the meantime."""
    return _answer(
        set_details(
            site(), path.slug, name=body.name, comment=body.comment, row_version=expected_version()
        )
    )


@images.verb("DELETE", "/<slug>", needs=Role.ADMIN, action="delete")
def delete_image(path: ImagePath) -> None:
    """Delete a boot image and stop serving it."""
    operations.delete_image(site(), operations.get_image(site(), path.slug).name)


@images.verb("GET", "/<slug>/versions", needs=Role.VIEWER, gives=Versions)
def list_versions(path: ImagePath, query: Page) -> Versions:
    """List the versions of a boot image with their files, newest first."""
    found = operations.get_image(site(), path.slug).versions
    return listed_of(Versions, found, query, Version.of)


@images.verb(
    "POST",
    "/<slug>/drivers",
    needs=Role.OPERATOR,
    gives=Image,
    action="add_driver",
    refuses=CONFLICTS,
)
def add_drivers(path: ImagePath, body: DriversToAdd) -> tuple[Image, dict[str, str]]:
    """Add drivers to the recipe. Nothing is built, and the served version does not change."""
    return _answer(
        operations.add_drivers(
            site(),
            path.slug,
            body.drivers,
            confirmed=body.confirmed,
            enable=body.enable,
            row_version=expected_version(),
        )
    )


@images.verb(
    "DELETE",
    "/<slug>/drivers/<driver>",
    needs=Role.OPERATOR,
    gives=Image,
    action="remove_driver",
    refuses=CONFLICTS,
)
def remove_driver(path: ImageDriverPath) -> tuple[Image, dict[str, str]]:
    """Remove a driver from the recipe."""
    return _answer(
        operations.remove_driver(site(), path.slug, path.driver, row_version=expected_version())
    )


@images.verb(
    "POST",
    "/<slug>/arrange-drivers",
    needs=Role.OPERATOR,
    gives=Image,
    action="arrange_drivers",
    refuses=CONFLICTS,
)
def arrange_drivers(path: ImagePath) -> tuple[Image, dict[str, str]]:
    """Sort the drivers in the recipe as known conflicts require."""
    return _answer(operations.arrange_drivers(site(), path.slug, row_version=expected_version()))


@images.verb("POST", "/<slug>/build", needs=Role.OPERATOR, gives=Job, status=202, action="build")
def build_version(path: ImagePath) -> tuple[Job, dict[str, str]]:
    """Build the next version. Machines get it after Update Distribution Points."""
    view = operations.get_image(site(), path.slug)
    return accepted(
        work.submit(site(), "build_version", {"image": view.name}, title=f"Build {view.name}")
    )


@images.verb(
    "POST",
    "/<slug>/update-distribution-points",
    needs=Role.OPERATOR,
    gives=Job,
    status=202,
    action="update_distribution_points",
)
def update_distribution_points(path: ImagePath) -> tuple[Job, dict[str, str]]:
    """Distribute the newest version. Machines get it from then on."""
    view = operations.get_image(site(), path.slug)
    if view.current is None:
        raise OperatorFault(f"{view.name} has no version yet", hint="Build a version first.")
    title = f"Update Distribution Points with {view.current.label}"
    return accepted(
        work.submit(site(), "update_distribution_points", {"image": view.name}, title=title)
    )


@images.verb("POST", "/<slug>/roll-back", needs=Role.OPERATOR, gives=Image, action="roll_back")
def roll_back(path: ImagePath, body: OlderVersion) -> tuple[Image, dict[str, str]]:
    """Serve an older version again."""
    view = operations.get_image(site(), path.slug)
    points.rollback(site(), view.name, body.number)
    return _answer(operations.get_image(site(), view.name))


@images.verb("PUT", "/<slug>/default", needs=Role.OPERATOR, gives=Image, action="set_default")
def set_default_image(path: ImagePath) -> tuple[Image, dict[str, str]]:
    """Make this the default image for its architecture."""
    return _answer(operations.set_default(site(), path.slug))
