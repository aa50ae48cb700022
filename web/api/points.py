"""Distribution points over the API."""

from netboot.operations import points as operations
from web.access import Role, site
from web.api.images import ImagePath
from web.api.subject import Subject, Value

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


@points.verb("GET", "", needs=Role.VIEWER, gives=Points)
def list_points() -> Points:
    """What each point holds, against the newest versions."""
    return Points(items=[Point.model_validate(point) for point in operations.point_status(site())])


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
