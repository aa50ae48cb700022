"""The three ways of delivery of one version: what exists, and which machines reported a start."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from netboot.boot.told.attempts import Attempt, Outcome
from netboot.images.media.disk_package import systems_for
from netboot.images.media.request import MediaKind
from netboot.operations import jobs
from netboot.operations.boots import boots
from netboot.operations.boots.boots import BootFilter
from netboot.operations.drivers.drivers import images_to_choose
from netboot.operations.images import images
from netboot.operations.media import media
from netboot.operations.media.media import MediumView
from netboot.site import Site

WORDS = {
    "": "from the network",
    "iso": "from an ISO",
    "usb": "from a USB drive",
    "disk": "from a disk image",
    "package": "from its local disk",
}
BY_MEDIA = ("iso", "usb")
BY_DISK = ("disk", "package")


@dataclass(frozen=True, slots=True)
class CameUp:
    """The latest report of a machine that started the version in one way."""

    way: str
    words: str
    machine: str
    firmware: str
    driver: str
    at: float


def came_up(attempts: Iterable[Attempt], image: str, number: int) -> tuple[CameUp, ...]:
    """The latest report for each way, in the order of `WORDS`; attempts come newest first."""
    newest: dict[str, CameUp] = {}
    for one in attempts:
        if (one.image, one.version) == (image, number) and one.ended and not one.offline:
            words = WORDS.get(one.way, one.way)
            report = CameUp(one.way, words, one.machine, one.firmware, one.driver, one.last)
            newest.setdefault(one.way, report)
    return tuple(newest[way] for way in WORDS if way in newest)


def read_version(site: Site, argument: str) -> dict[str, Any]:
    """One version, by `slug/number`. Raises NotFound."""
    slug, _, text = argument.partition("/")
    number = int(text) if text.isdecimal() and len(text) < 10 else 0
    image = images.get_image(site, slug)
    version = image.require_version(number)
    views = media.list_media(site, image.name, number)
    recent = [job for job in jobs.list_lines(site, 50) if _is_of(job.arguments, image.name, number)]
    reports = came_up(_online(site, image.name, number), image.name, number)
    return {
        "image": image,
        "version": version,
        "wim": version.file("boot.wim"),
        "is_served": image.served_version == number,
        "is_held": (image.name, number) in site.point.load().kept,
        "media": views,
        "of_media": [view for view in views if view.kind is not MediaKind.DISK],
        "of_disk": [view for view in views if view.kind is MediaKind.DISK],
        "by_network": [one for one in reports if not one.way],
        "by_media": [one for one in reports if one.way in BY_MEDIA],
        "by_disk": [one for one in reports if one.way in BY_DISK],
        "others": _others(site, image),
        "systems": systems_for(version),
        "is_native": "linux" not in version.chains,
        "making": [job for job in recent if not job.finished],
        "failed": _failed(recent, views),
    }


def _online(site: Site, image: str, number: int) -> list[Attempt]:
    """The latest boot of the version that came online, for each way."""
    wanted = BootFilter(image=image, version=number, outcome=Outcome.ONLINE)
    return [found for way in WORDS for found in boots.list_boots(site, replace(wanted, way=way), 1)]


def _is_of(arguments: dict[str, Any], image: str, number: int) -> bool:
    return [image, number] in [list(each) for each in arguments.get("versions", ())]


def _failed(recent: list[jobs.LineView], views: list[MediumView]) -> jobs.LineView | None:
    """The latest job, if it failed and nothing was created since."""
    newest = next((job for job in recent if job.finished), None)
    if newest is None or newest.state != "failed":
        return None
    made_since = any(view.created_at > newest.created_at for view in views)
    return None if made_since else newest


def _others(site: Site, image: images.ImageView) -> list[images.ImageView]:
    """Boot images whose newest version can share a medium with this one."""
    if all(one.architecture is image.architecture for one in images_to_choose(site)):
        return []  # as on most sites: no need to read them all
    chain = "linux" if image.current and "linux" in image.current.chains else "native"
    return [
        other
        for other in images.list_images(site)
        if other.architecture is not image.architecture
        and other.current is not None
        and chain in other.current.chains
    ]
