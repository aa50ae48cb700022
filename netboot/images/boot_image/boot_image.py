"""A boot image: a source that is never written, drivers in an order, and properties.

An image is a pure function of its recipe. A change of the recipe is a new value; a build of
the recipe is a content version. Law: drivers enter only enabled and of the right architecture.
"""

import hashlib
import json
import re
from collections.abc import Mapping
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

SERVICING_FORMAT = 3
"""Goes into each recipe digest: raise it when the same recipe gives other bytes."""

NAME_LIMIT = 64
COMMENT_LIMIT = 1024

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

_BOOT_KINDS = (DriverKind.NETWORK, DriverKind.STORAGE)


@dataclass(frozen=True, slots=True)
class SourceWim:
    """The WIM that an image is built from: `digest` is `sha256:<hex>`, `size` in bytes."""

    digest: str
    size: int
    image_index: int

    def __post_init__(self) -> None:
        if not _DIGEST.fullmatch(self.digest) or self.size <= 0 or self.image_index < 1:
            raise InvalidInput(f"{self!r} has no source WIM")


@dataclass(frozen=True, slots=True)
class BootImage:
    """A boot image of the catalog. `slug` is its name in addresses: lower case, dashes."""

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
        """Whether this driver (by its content) is in the recipe."""
        return any(held.digest == driver.digest for held in self.drivers)


def slug(name: str) -> str:
    """A name as it may stand in an address: `Lab PE x64` becomes `lab-pe-x64`."""
    return "-".join(re.findall(r"[a-z0-9]+", name.lower()))[:NAME_LIMIT].strip("-") or "image"


def with_driver(image: BootImage, driver: Driver, *, confirmed: bool = False) -> BootImage:
    """The image with one driver more.

    Raises AlreadyExists, DriverNotEnabled, WrongArchitecture, or NotBootCritical when the
    driver is neither for network nor for storage and nobody `confirmed` that it is wanted.
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
    if driver.kind not in _BOOT_KINDS and not confirmed:
        raise NotBootCritical(
            f"{_named(driver)} is not a network or storage driver ({driver.class_name})",
            hint="A boot image needs only network and storage drivers. Confirm to add it anyway.",
        )
    return replace(image, drivers=(*image.drivers, driver))


def without_driver(image: BootImage, driver_digest: str) -> BootImage:
    """The image without one driver. Raises NotFound when it does not hold it."""
    kept = tuple(driver for driver in image.drivers if driver.digest != driver_digest)
    if len(kept) == len(image.drivers):
        raise NotFound(f"{image.name} does not contain the driver {driver_digest}")
    return replace(image, drivers=kept)


def disabled_drivers(
    image: BootImage, catalog: Mapping[str, Driver] | None = None
) -> tuple[Driver, ...]:
    """Drivers that the image holds although they have been disabled since.

    `catalog` maps digests to drivers as they are now; without it the image's own are asked.
    """
    now = catalog or {}
    held = (now.get(driver.digest, driver) for driver in image.drivers)
    return tuple(driver for driver in held if not driver.enabled)


def warnings(image: BootImage, catalog: Mapping[str, Driver] | None = None) -> tuple[str, ...]:
    """What the operator should know about an image before building it."""
    return tuple(
        f"{image.name} contains {_named(driver)}, which is disabled in the catalog."
        for driver in disabled_drivers(image, catalog)
    )


def recipe(image: BootImage) -> dict[str, Any]:
    """Everything that decides the bytes of a build, as plain JSON values.

    Drivers keep the operator's order. Comment and enablement decide no bytes.
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
    """The recipe's identity: SHA-256 of its canonical JSON."""
    text = json.dumps(recipe(image), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _named(driver: Driver) -> str:
    return f"{driver.name} {driver.version}".strip()
