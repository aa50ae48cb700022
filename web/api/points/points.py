"""Distribution points over the API."""

from pydantic import BaseModel, Field

from netboot.operations.points import points as operations
from netboot.operations.points import quarantine as altered
from web.api.images.images import ImagePath
from web.api.subject import Subject, Value
from web.guard.access import Role, site

points = Subject("distribution-points", "What hands versions to machines.")


class PointImage(Value):
    """One image on one point: numbers of versions, and how they compare."""

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
    """An image as it is served, after every byte was read; `altered` names files."""

    altered: list[str]


class AlteredBytes(Value):
    """Damaged bytes: the digest that they should have, and what they are needed for."""

    digest: str
    size: int
    at: float = Field(description="When they were set aside, in epoch seconds.")
    where: str = Field(description="The store: site or point.")
    what: str


class AlteredList(Value):
    """All damaged bytes, newest first."""

    items: list[AlteredBytes]


class WhichAltered(BaseModel):
    """One digest; empty for all of them."""

    digest: str = Field("", max_length=71)


class AlteredDeleted(Value):
    """How many files went, and their bytes."""

    files: int
    size: int


@points.verb("GET", "", needs=Role.VIEWER, gives=Points)
def list_points() -> Points:
    """What each point holds, against the newest versions."""
    return Points(items=[Point.model_validate(point) for point in operations.point_status(site())])


@points.verb("GET", "/altered", needs=Role.VIEWER, gives=AlteredList)
def list_altered() -> AlteredList:
    """Damaged bytes that were taken out of use and are kept to be looked at."""
    return AlteredList(
        items=[AlteredBytes.model_validate(one) for one in altered.list_altered(site())]
    )


@points.verb("DELETE", "/altered", needs=Role.ADMIN, gives=AlteredDeleted, action="delete_altered")
def delete_altered(query: WhichAltered) -> AlteredDeleted:
    """Delete them: those of a digest, or all."""
    return AlteredDeleted.model_validate(altered.delete_altered(site(), query.digest))


@points.verb("POST", "/verify/<slug>", needs=Role.OPERATOR, gives=Verified)
def verify_point(path: ImagePath) -> Verified:
    """Read every byte of an image where it is served, and compare."""
    found, altered = operations.verify(site(), path.slug)
    return Verified(
        image=found.image,
        held=found.held,
        current=found.current,
        status=found.status.value,
        altered=list(altered),
    )
