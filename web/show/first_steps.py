"""The first steps on a new site, and which of them are done."""

from collections.abc import Sequence
from dataclasses import dataclass

from netboot.images.versions.distribution import DistributionStatus
from netboot.operations.images.images import ImageView


@dataclass(frozen=True, slots=True)
class Step:
    """One step: `endpoint` is the page to do it on, with `arguments` for its address."""

    title: str
    text: str
    done: bool
    endpoint: str
    arguments: tuple[tuple[str, str], ...] = ()
    label: str = ""


def first_steps(
    images: Sequence[ImageView], *, enabled_drivers: bool, online: bool
) -> tuple[Step, ...]:
    """The steps from an empty site to a machine that is online, in order."""
    image = next((view for view in images if view.drivers), None) or next(iter(images), None)
    with_driver = bool(image and image.drivers)
    built = bool(image and with_driver and not image.needs_build)
    current = bool(built and image and image.distribution == DistributionStatus.CURRENT)
    return (
        Step(
            "Import a driver and enable it",
            "Start with network drivers. Without one, Windows PE starts but stays offline.",
            with_driver or enabled_drivers,
            "drivers.index",
            label="Driver catalog",
        ),
        *_steps_on(image, with_driver=with_driver, built=built, current=current),
        Step(
            "Boot a test machine",
            "Check in a virtual machine that the image starts and gets a network connection.",
            online,
            "lab.index",
            (("image", image.slug),) if image and image.served_version else (),
            label="Boot tests",
        ),
    )


def _steps_on(
    image: ImageView | None, *, with_driver: bool, built: bool, current: bool
) -> tuple[Step, ...]:
    """The steps on the boot image's own page, or on the list if there is none yet."""
    page = "images.show" if image else "images.index"
    here = (("slug", image.slug),) if image else ()
    steps = (
        (
            "Add the driver to a boot image",
            "You can add enabled drivers of the same architecture.",
            with_driver,
        ),
        (
            "Build a new version",
            "Each build creates a new numbered version and leaves the source unchanged.",
            built,
        ),
        (
            "Update Distribution Points",
            "Machines then boot the new version.",
            current,
        ),
    )
    return tuple(Step(title, text, done, page, here, "Boot image") for title, text, done in steps)
