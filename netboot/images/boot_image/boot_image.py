"""A boot image: a source that is never changed, drivers in an order, and properties.

These are its recipe, and a build of the recipe is a content version. Law: only enabled drivers of
the right architecture can be added.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from netboot.errors import (
    AlreadyExists,
    DriverNotEnabled,
    InvalidInput,
    NotBootCritical,
    NotFound,
    WrongArchitecture,
)
from netboot.images.architecture import Architecture
from netboot.images.boot_image.properties import NO_PROPERTIES, Properties
from netboot.images.drivers.driver import Driver, DriverKind

SERVICING_FORMAT = 4
"""Part of each recipe digest. Raise it when the same recipe gives other bytes."""

NAME_LIMIT = 64
COMMENT_LIMIT = 1024

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

_BOOT_KINDS = (DriverKind.NETWORK, DriverKind.STORAGE)
_ADD_BASE = "Add the driver of the same devices first, then this one. Or confirm to add it alone."


@dataclass(frozen=True, slots=True)
class SourceWim:
    """The WIM from which an image is built: `digest` is `sha256:<hex>`, `size` in bytes."""

    digest: str
    size: int
    image_index: int

    def __post_init__(self) -> None:
        if not _DIGEST.fullmatch(self.digest) or self.size <= 0 or self.image_index < 1:
            raise InvalidInput(f"{self!r} has no source WIM")


@dataclass(frozen=True, slots=True)
class BootImage:
    """A boot image. `slug` is its name in URLs: lower case letters, digits, dashes."""

    name: str
    slug: str
    architecture: Architecture
    source: SourceWim
    drivers: tuple[Driver, ...] = ()
    properties: Properties = NO_PROPERTIES
    comment: str = ""

    def __post_init__(self) -> None:
        if not self.name.strip() or len(self.name) > NAME_LIMIT or not self.name.isprintable():
            raise InvalidInput(
                f"The name of a boot image must be printable text of 1 to {NAME_LIMIT} characters",
                hint="Choose another name.",
            )
        if not _SLUG.fullmatch(self.slug) or len(self.slug) > NAME_LIMIT:
            raise InvalidInput(
                f"{self.slug[:80]!r} is not valid in a URL",
                hint="Use lower case letters, digits and dashes.",
            )
        if len(self.comment) > COMMENT_LIMIT:
            raise InvalidInput(f"A comment can have at most {COMMENT_LIMIT} characters")

    def holds(self, driver: Driver) -> bool:
        """Whether the recipe contains this driver, by its digest."""
        return any(held.digest == driver.digest for held in self.drivers)


def slug(name: str) -> str:
    """The name for URLs: `Lab PE x64` becomes `lab-pe-x64`."""
    return "-".join(re.findall(r"[a-z0-9]+", name.lower()))[:NAME_LIMIT].strip("-") or "image"


def with_driver(image: BootImage, driver: Driver, *, confirmed: bool = False) -> BootImage:
    """The image with one more driver.

    Raises AlreadyExists, DriverNotEnabled, WrongArchitecture, or NotBootCritical if the driver is
    neither for network nor for storage (nor an extension of one that the image has) and that is not
    `confirmed`.
    """
    if image.holds(driver):
        raise AlreadyExists(f"{image.name} already contains {_named(driver)}")
    if not driver.enabled:
        raise DriverNotEnabled(
            f"{_named(driver)} is not enabled, so it cannot be added to {image.name}",
            hint="Enable the driver in the catalog first.",
        )
    if image.architecture not in driver.architectures:
        offered = ", ".join(sorted(driver.architectures)) or "no known architecture"
        raise WrongArchitecture(
            f"{_named(driver)} is for {offered}, but {image.name} is {image.architecture}",
            hint=f"Import the {image.architecture} build of this driver.",
        )
    if not driver.kind.drives and not confirmed and not bases_of(driver, image.drivers):
        what = "an extension INF" if driver.kind is DriverKind.EXTENSION else "a software component"
        raise NotBootCritical(
            f"{_named(driver)} is {what}, which drives no device, "
            f"and {image.name} has no driver that it adds to",
            hint=_ADD_BASE,
        )
    if driver.kind.drives and driver.kind not in _BOOT_KINDS and not confirmed:
        raise NotBootCritical(
            f"{_named(driver)} is not a network or storage driver ({driver.class_name})",
            hint="A boot image needs only network and storage drivers. Confirm to add it anyway.",
        )
    return replace(image, drivers=(*image.drivers, driver))


def without_driver(image: BootImage, driver_digest: str) -> BootImage:
    """The image without one driver. Raises NotFound."""
    kept = tuple(driver for driver in image.drivers if driver.digest != driver_digest)
    if len(kept) == len(image.drivers):
        raise NotFound(f"{image.name} does not contain the driver {driver_digest}")
    return replace(image, drivers=kept)


def bases_of(addition: Driver, drivers: Iterable[Driver]) -> tuple[Driver, ...]:
    """The drivers to which an extension INF adds: those for a device that both claim.

    What a software component belongs to is not in its own INF, so its base is any of its provider.
    """
    claimed = set(addition.hardware_ids)
    maker = addition.provider.casefold()
    component = addition.kind is DriverKind.COMPONENT
    return tuple(
        driver
        for driver in drivers
        if driver.kind.drives
        and (
            driver.provider.casefold() == maker
            if component
            else not claimed.isdisjoint(driver.hardware_ids)
        )
    )


def disabled_drivers(image: BootImage) -> tuple[Driver, ...]:
    """Drivers of the image that were disabled after they were added."""
    return tuple(driver for driver in image.drivers if not driver.enabled)


def recipe(image: BootImage) -> dict[str, Any]:
    """Everything that determines the bytes of a build, as JSON values.

    The order of the drivers counts; comments, and whether drivers are enabled, do not.
    """
    return {
        "format": SERVICING_FORMAT,
        "name": image.name,
        "slug": image.slug,
        "architecture": image.architecture.value,
        "source": {"digest": image.source.digest, "index": image.source.image_index},
        "drivers": [driver.digest for driver in image.drivers],
        "properties": image.properties.to_json(),
    }


def recipe_digest(image: BootImage) -> str:
    """SHA-256 of the recipe as canonical JSON."""
    text = json.dumps(recipe(image), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _named(driver: Driver) -> str:
    return f"{driver.name} {driver.version}".strip()
