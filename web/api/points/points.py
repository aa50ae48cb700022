"""Distribution points over the API."""

from pydantic import BaseModel, Field

from netboot.operations.points import points as operations
from netboot.operations.points import quarantine as altered
from web.api.images.images import ImagePath
from web.api.subject import Subject, Value
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


class Points(Value):
    """All distribution points."""

    items: list[Point]


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


class AlteredList(Value):
    """All quarantined files, newest first."""

    items: list[AlteredBytes]


class WhichAltered(BaseModel):
    """One digest; empty for all."""

    digest: str = Field("", max_length=71)


class AlteredDeleted(Value):
    """How many files were deleted, and their size."""

    files: int
    size: int


@points.verb("GET", "", needs=Role.VIEWER, gives=Points)
def list_points() -> Points:
    """List distribution points with the version of each boot image."""
    return Points(items=[Point.model_validate(point) for point in operations.point_status(site())])


@points.verb("GET", "/altered", needs=Role.VIEWER, gives=AlteredList)
def list_altered() -> AlteredList:
    """List quarantined files."""
    return AlteredList(
        items=[AlteredBytes.model_validate(one) for one in altered.list_altered(site())]
    )


@points.verb("DELETE", "/altered", needs=Role.ADMIN, gives=AlteredDeleted, action="delete_altered")
def delete_altered(query: WhichAltered) -> AlteredDeleted:
    """Delete the quarantined files of a digest, or all."""
    return AlteredDeleted.model_validate(altered.delete_altered(site(), query.digest))


@points.verb("POST", "/verify/<slug>", needs=Role.OPERATOR, gives=Verified)
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
