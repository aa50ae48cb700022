"""Distribution points over the API."""

from pydantic import BaseModel, Field

from netboot.operations.points import points as operations
from netboot.operations.points import quarantine as altered
from web.api.images.images import ImagePath
from web.api.subject import Items, Subject, Value, items_of
from web.guard.access import Role, site

points = Subject("distribution-points", "Servers that deliver boot images to machines.")


class PointImage(Value):
    """One boot image on one distribution point: version numbers, and how they compare."""

    image: str
    held: int | None
    current: int | None
    status: str


class Point(Value):
    """A distribution point."""

    name: str
    address: str
    images: list[PointImage]


class Verified(PointImage):
    """The result of verifying a served boot image; `altered` lists changed files."""

    altered: list[str]


class AlteredBytes(Value):
    """A quarantined file: its original digest, and what needs it."""

    digest: str
    size: int
    at: float = Field(description="Time of quarantine, in epoch seconds.")
    where: str = Field(description="Location: site or point.")
    what: str


class WhichAltered(BaseModel):
    """One digest; empty for all."""

    digest: str = Field("", max_length=71)


class AlteredDeleted(Value):
    """How many files were deleted, and their size."""

    files: int
    size: int


@points.verb("GET", "", needs=Role.VIEWER)
def list_points() -> Items[Point]:
    """List distribution points with the version of each boot image."""
    return items_of(Point, operations.point_status(site()))


@points.verb("GET", "/altered", needs=Role.VIEWER)
def list_altered() -> Items[AlteredBytes]:
    """List quarantined files, newest first."""
    return items_of(AlteredBytes, altered.list_altered(site()))


@points.verb("DELETE", "/altered", needs=Role.ADMIN, action="delete_altered")
def delete_altered(query: WhichAltered) -> AlteredDeleted:
    """Delete the quarantined files of a digest, or all."""
    return AlteredDeleted.of(altered.delete_altered(site(), query.digest))


@points.verb("POST", "/verify/<slug>", needs=Role.OPERATOR)
def verify_point(path: ImagePath) -> Verified:
    """Verify all files of a boot image on the distribution point."""
    found, altered = operations.verify(site(), path.slug)
    return Verified(
        image=found.image,
        held=found.held,
        current=found.current,
        status=found.status.value,
        altered=list(altered),
    )
