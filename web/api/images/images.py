"""Boot images over the API."""

from pydantic import BaseModel, Field

from netboot.images.architecture import Architecture
from netboot.images.versions.content_version import ContentVersion
from netboot.operations.images import images as operations
from netboot.operations.images.images import ImageView
from netboot.operations.images.properties import set_details
from netboot.operations.points import points
from netboot.operations.versions import versions
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
from web.guard.access import Role, site
from web.uploads.tus import handed_in

images = Subject("images", "Boot images: source, recipe, versions, distribution.")


class ImagePath(BaseModel):
    """A boot image by its slug (its name as it stands in addresses)."""

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
    """A built version: numbered, and never changed."""

    number: int
    built_at: float
    comment: str
    recipe_digest: str
    chains: list[str]
    drivers: list[str]
    files: list[VersionFile]

    @staticmethod
    def of(version: ContentVersion) -> "Version":
        """A version as the rules know it."""
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
    """A boot image. `distribution` compares what machines get with the newest version."""

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
    row_version: int = Field(description="Changes with the recipe; also given as ETag.")

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
    """A part of the boot images, by name."""

    items: list[Image]


class Versions(Listed):
    """A part of an image's versions, newest first."""

    items: list[Version]


class ImageChange(Order):
    """What is to be changed; what is left out stays."""

    name: str | None = Field(None, min_length=1, max_length=64)
    comment: str | None = Field(None, max_length=2000)


class ImageImport(Order):
    """A new boot image from an upload."""

    name: str = Field(min_length=1, max_length=100)
    upload: str = Field(description="What PUT /api/v1/uploads/{name} or tus gave as batch.")
    architecture: Architecture | None = Field(None, description="Refuse the file unless it is.")
    index: int | None = Field(None, ge=1, le=10_000, description="Image inside the WIM.")
    comment: str = Field("", max_length=2000)


class DriversToAdd(Order):
    """Drivers by digest or name: all are added, or none."""

    drivers: list[str] = Field(min_length=1, max_length=200)
    confirmed: bool = Field(default=False, description="Add them though for no network or disk.")
    enable: bool = Field(default=False, description="Enable them on the way.")


class OlderVersion(Order):
    """A version that the point holds still."""

    number: int = Field(ge=1, le=LARGEST_NUMBER)


def _answer(view: ImageView) -> tuple[Image, dict[str, str]]:
    return Image.of(view), etag(view.row_version)


@images.verb("GET", "", needs=Role.VIEWER, gives=Images)
def list_images(query: Page) -> Images:
    """All boot images, by name."""
    found = operations.list_images(site())
    return listed_of(Images, found, query, Image.of)


@images.verb("POST", "", needs=Role.OPERATOR, gives=Job, status=202, action="import_image")
def import_image(body: ImageImport) -> tuple[Job, dict[str, str]]:
    """Take an uploaded WIM in as the source of a new boot image."""
    return accepted(
        handed_in(
            body.upload,
            lambda path: operations.ask_import(
                site(),
                path,
                name=body.name,
                architecture=body.architecture,
                index=body.index,
                comment=body.comment,
            ),
        )
    )


@images.verb("GET", "/<slug>", needs=Role.VIEWER, gives=Image)
def get_image(path: ImagePath) -> tuple[Image, dict[str, str]]:
    """One boot image."""
    return _answer(operations.get_image(site(), path.slug))


@images.verb(
    "PATCH", "/<slug>", needs=Role.OPERATOR, gives=Image, action="set_comment", refuses=CONFLICTS
)
def change_image(path: ImagePath, body: ImageChange) -> tuple[Image, dict[str, str]]:
    """Change an image's name or comment; with If-Match only if nobody changed it since."""
    return _answer(
        set_details(
            site(), path.slug, name=body.name, comment=body.comment, row_version=expected_version()
        )
    )


@images.verb("DELETE", "/<slug>", needs=Role.ADMIN, action="delete")
def delete_image(path: ImagePath) -> None:
    """Forget an image and stop serving it."""
    operations.delete_image(site(), operations.get_image(site(), path.slug).name)


@images.verb("GET", "/<slug>/versions", needs=Role.VIEWER, gives=Versions)
def list_versions(path: ImagePath, query: Page) -> Versions:
    """An image's versions with their files, newest first."""
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
    """Put drivers into the recipe; nothing is built and nothing served changes."""
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
    """Take a driver out of the recipe."""
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
    """Put the recipe's drivers into the order that known pairs ask for."""
    return _answer(operations.arrange_drivers(site(), path.slug, row_version=expected_version()))


@images.verb("POST", "/<slug>/build", needs=Role.OPERATOR, gives=Job, status=202, action="build")
def build_version(path: ImagePath) -> tuple[Job, dict[str, str]]:
    """Build the next version; machines get it after an update of the points."""
    return accepted(versions.ask_build(site(), path.slug))


@images.verb(
    "POST",
    "/<slug>/update-distribution-points",
    needs=Role.OPERATOR,
    gives=Job,
    status=202,
    action="update_distribution_points",
)
def update_distribution_points(path: ImagePath) -> tuple[Job, dict[str, str]]:
    """Publish the newest version: machines get it from then on."""
    return accepted(points.ask_update(site(), path.slug))


@images.verb("POST", "/<slug>/roll-back", needs=Role.OPERATOR, gives=Image, action="roll_back")
def roll_back(path: ImagePath, body: OlderVersion) -> tuple[Image, dict[str, str]]:
    """Serve an older version again."""
    view = operations.get_image(site(), path.slug)
    points.rollback(site(), view.name, body.number)
    return _answer(operations.get_image(site(), view.name))


@images.verb("PUT", "/<slug>/default", needs=Role.OPERATOR, gives=Image, action="set_default")
def set_default_image(path: ImagePath) -> tuple[Image, dict[str, str]]:
    """Give the image to all machines of its architecture that have no other."""
    return _answer(operations.set_default(site(), path.slug))
