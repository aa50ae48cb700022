"""What a newcomer does first, and how far this site has come with it."""

from collections.abc import Sequence
from dataclasses import dataclass

from netboot.images.versions.distribution import DistributionStatus
from netboot.operations.images.images import ImageView


@dataclass(frozen=True, slots=True)
class Step:
    """One step: `endpoint` is the page where it is done, with `arguments` for its address."""

    title: str
    text: str
    done: bool
    endpoint: str
    arguments: tuple[tuple[str, str], ...] = ()
    label: str = ""


def first_steps(
    images: Sequence[ImageView], *, enabled_drivers: bool, online: bool
) -> tuple[Step, ...]:
    """The way from an empty site to a machine that is online, in order."""
    image = next((view for view in images if view.drivers), None) or next(iter(images), None)
    with_driver = bool(image and image.drivers)
    built = bool(image and with_driver and not image.needs_build)
    current = bool(built and image and image.distribution == DistributionStatus.CURRENT)
    return (
        Step(
            "Bring a driver into the catalog and enable it",
            "Network drivers first: without one, Windows PE starts but stays offline.",
            with_driver or enabled_drivers,
            "drivers.index",
            label="Driver catalog",
        ),
        *_steps_on(image, with_driver=with_driver, built=built, current=current),
        Step(
            "Boot a test machine",
            "A virtual machine shows whether the image comes up online.",
            online,
            "lab.index",
            label="Boot tests",
        ),
    )


def _steps_on(
    image: ImageView | None, *, with_driver: bool, built: bool, current: bool
) -> tuple[Step, ...]:
    """What is done on the image's own page; with no image yet, on their list."""
    page = "images.show" if image else "images.index"
    here = (("slug", image.slug),) if image else ()
    steps = (
        (
            "Add the driver to a boot image",
            "Only enabled drivers of the image's architecture can be added.",
            with_driver,
        ),
        (
            "Build a new version",
            "The source stays untouched; every build is a new, numbered version.",
            built,
        ),
        (
            "Update Distribution Points",
            "Until then machines keep getting the version before.",
            current,
        ),
    )
    return tuple(Step(title, text, done, page, here, "Boot image") for title, text, done in steps)
