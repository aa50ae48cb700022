"""The first steps on a new site, and which of them are done.

They follow one Windows PE from its file to a machine that is online with it. The Lab PE that a
site starts with is for trying netboot, so it counts for none of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from netboot.boot.told.attempts import Outcome
from netboot.images.versions.distribution import DistributionStatus
from netboot.operations.boots import boots
from netboot.operations.boots.boots import BootFilter
from netboot.operations.deployments import deployments as policy
from netboot.operations.images.images import ImageView
from netboot.site import Site


@dataclass(frozen=True, slots=True)
class Link:
    """A button of a step: `endpoint` is a page, with `arguments` for its address."""

    label: str
    endpoint: str
    arguments: tuple[tuple[str, str], ...] = ()
    for_operators: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One step, and where to do it: the first link, or another way to go on."""

    title: str
    text: str
    done: bool
    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class _Boots:
    """What machines that booted the image came to; `offline` is the key of the newest such boot."""

    online: bool = False
    offline: str = ""


def first_steps(site: Site, images: Sequence[ImageView], *, now: float) -> tuple[Step, ...]:
    """The steps from a Windows PE that is somewhere to a machine that is online with it."""
    image = _followed(images)
    seen = _boots_of(site, image.name, now) if image else _Boots()
    built, current = _states(image)
    reached = bool(image and (image.is_default or policy.assigned_counts(site).get(image.name)))
    here = _page_of(image)
    return (
        _import_step(images, done=image is not None),
        Step(
            "Build a version",
            "A build works on a copy and leaves the source unchanged. Drivers can be added before "
            "or after it.",
            built,
            here,
        ),
        Step(
            "Update Distribution Points",
            "From then on, machines can boot the version.",
            current,
            here,
        ),
        Step(
            "Make it the default image",
            "Machines boot the default image of their architecture unless another one is assigned "
            "to them.",
            reached,
            here,
        ),
        *_boot_steps(image, seen),
    )


def _followed(images: Sequence[ImageView]) -> ImageView | None:
    """The Windows PE that is furthest: importing a second one does not restart the steps."""
    real = [image for image in images if not image.is_lab]
    return max(real, key=lambda image: sum((*_states(image), image.is_default)), default=None)


def _states(image: ImageView | None) -> tuple[bool, bool]:
    """Whether its newest version has all changes, and whether this version is served."""
    built = bool(image and image.current and not image.needs_build)
    return built, bool(built and image and image.distribution == DistributionStatus.CURRENT)


def _boots_of(site: Site, image: str, now: float) -> _Boots:
    online = boots.list_boots(site, BootFilter(image=image, outcome=Outcome.ONLINE), 1, now=now)
    offline = boots.list_boots(site, BootFilter(image=image, outcome=Outcome.OFFLINE), 1, now=now)
    return _Boots(bool(online), offline[0].key if offline else "")


def _page_of(image: ImageView | None) -> tuple[Link, ...]:
    if image is None:
        return (Link("Boot images", "images.index"),)
    return (Link(image.name, "images.show", (("slug", image.slug),)),)


def _import_step(images: Sequence[ImageView], *, done: bool) -> Step:
    links = [
        Link("Import boot image", "images.import_page", for_operators=True),
        Link("Where to get Windows PE", "images.windows_pe"),
    ]
    if lab := next((image for image in images if image.is_lab and image.served_version), None):
        links.append(Link("Try the Lab PE first", "lab.index", (("image", lab.slug),)))
    else:
        links.append(Link("Make the Lab PE", "lab_pe.show"))
    return Step(
        "Import a Windows PE",
        "From a Windows ISO, the Windows ADK or a boot.wim that you already use.",
        done,
        tuple(links),
    )


def _boot_steps(image: ImageView | None, seen: _Boots) -> tuple[Step, Step]:
    chosen = (("image", image.slug),) if image and image.served_version else ()
    test = Link("Boot a test machine", "lab.index", chosen)
    offline = Link("The boot that ended offline", "boots.show", (("boot_id", seen.offline),))
    return (
        Step(
            "Boot a test machine from it",
            "A virtual machine boots this image, and its result says which image and version came "
            "up.",
            seen.online or bool(seen.offline),
            (test,),
        ),
        Step(
            "Bring it online",
            "Windows PE without a driver for the network card starts, but stays offline. The "
            "result of the boot names the card and the drivers that fit. Add one, then build, "
            "update and boot again.",
            seen.online,
            (offline, test) if seen.offline else (test,),
        ),
    )
