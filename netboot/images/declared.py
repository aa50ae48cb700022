"""Compares a site with its declaration in files: which changes are necessary.

Drivers that are not declared stay as they are; images that are not declared are removed only on
request; assignments that are not declared are removed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from netboot.images.boot_image.properties import Properties


class Kind(StrEnum):
    """The kind of a change."""

    ADD = "add"
    CHANGE = "change"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class DeclaredDriver:
    """A driver of the catalog. If `categories` is None, they are not declared."""

    digest: str
    name: str
    version: str
    enabled: bool
    categories: tuple[str, ...] | None = None

    @property
    def label(self) -> str:
        return f"{self.name} {self.version}".strip()


@dataclass(frozen=True, slots=True)
class DeclaredImage:
    """The recipe of a boot image. `drivers` are digests in order; `labels` has their names."""

    name: str
    architecture: str
    source_digest: str
    source_index: int
    drivers: tuple[str, ...] = ()
    properties: Properties = field(default_factory=Properties)
    comment: str = ""
    labels: Mapping[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Assignment:
    """The image of a machine."""

    image: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Declaration:
    """Drivers by digest, images by name, defaults by architecture, machines by MAC address.

    A part that is None is not declared.
    """

    drivers: Mapping[str, DeclaredDriver] | None = None
    images: Mapping[str, DeclaredImage] | None = None
    defaults: Mapping[str, str] | None = None
    machines: Mapping[str, Assignment] | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One change. `subject` is "driver", "image", "default" or "machine".

    `details` are lines about the differences.
    """

    kind: Kind
    subject: str
    key: str
    label: str
    details: tuple[str, ...] = ()

    @property
    def removes_image(self) -> bool:
        return (self.kind, self.subject) == (Kind.REMOVE, "image")

    def with_served(self, served: Mapping[str, int]) -> "Change":
        """The change; that of an image which machines get names the version (by image)."""
        if not self.removes_image or self.key not in served:
            return self
        return replace(self, details=(f"version {served[self.key]} is served to machines",))


def compare(now: Declaration, wanted: Declaration, *, prune: bool = False) -> tuple[Change, ...]:
    """The necessary changes, in an order in which they can be made."""
    return (
        *_drivers(now.drivers or {}, wanted.drivers),
        *_images(now.images or {}, wanted.images, prune=prune),
        *_defaults(now.defaults or {}, wanted.defaults),
        *_machines(now.machines or {}, wanted.machines),
    )


def _drivers(
    now: Mapping[str, DeclaredDriver], wanted: Mapping[str, DeclaredDriver] | None
) -> Iterator[Change]:
    for digest, driver in sorted((wanted or {}).items(), key=lambda item: item[1].label):
        known = now.get(digest)
        details = []
        if known is None or known.enabled != driver.enabled:
            details.append("enable" if driver.enabled else "disable")
        if driver.categories is not None and (known is None or known.categories is not None):
            before = known.categories if known else ()
            if set(before or ()) != set(driver.categories):
                pair = ", ".join(before or ()), ", ".join(driver.categories)
                details.append(_difference("categories", *pair))
        if details:
            yield Change(Kind.CHANGE, "driver", digest, driver.label, tuple(details))


def _images(
    now: Mapping[str, DeclaredImage], wanted: Mapping[str, DeclaredImage] | None, *, prune: bool
) -> Iterator[Change]:
    for name, image in sorted((wanted or {}).items()):
        known = now.get(name)
        if known is None:
            details = tuple(f"+ {image.labels.get(digest, digest)}" for digest in image.drivers)
            yield Change(Kind.ADD, "image", name, name, details)
        elif details := tuple(_image_differences(known, image)):
            yield Change(Kind.CHANGE, "image", name, name, details)
    if prune and wanted is not None:
        for name in sorted(set(now) - set(wanted)):
            yield Change(Kind.REMOVE, "image", name, name)


def _image_differences(known: DeclaredImage, image: DeclaredImage) -> Iterator[str]:
    if known.architecture != image.architecture:
        yield _difference("architecture", known.architecture, image.architecture)
    if known.source_digest != image.source_digest:
        yield _difference("source", known.source_digest, image.source_digest)
    elif known.source_index != image.source_index:
        yield _difference("source index", known.source_index, image.source_index)
    yield from _driver_differences(known, image)
    before, after = known.properties.to_json(), image.properties.to_json()
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            yield _difference(name, before.get(name), after.get(name))
    if known.comment != image.comment:
        yield _difference("comment", known.comment, image.comment)


def _driver_differences(known: DeclaredImage, image: DeclaredImage) -> Iterator[str]:
    labels = {**known.labels, **image.labels}
    for digest in image.drivers:
        if digest not in known.drivers:
            yield f"+ {labels.get(digest, digest)}"
    for digest in known.drivers:
        if digest not in image.drivers:
            yield f"- {labels.get(digest, digest)}"
    kept = [digest for digest in known.drivers if digest in image.drivers]
    if kept != [digest for digest in image.drivers if digest in known.drivers]:
        yield "different driver order"


def _defaults(now: Mapping[str, str], wanted: Mapping[str, str] | None) -> Iterator[Change]:
    if wanted is None:
        return
    for architecture in sorted({*now, *wanted}):
        before, after = now.get(architecture, ""), wanted.get(architecture, "")
        if before != after:
            kind = Kind.REMOVE if not after else Kind.CHANGE if before else Kind.ADD
            details = (_difference("image", before, after),)
            yield Change(kind, "default", architecture, f"default for {architecture}", details)


def _machines(
    now: Mapping[str, Assignment], wanted: Mapping[str, Assignment] | None
) -> Iterator[Change]:
    if wanted is None:
        return
    for mac in sorted({*now, *wanted}):
        before, after = now.get(mac), wanted.get(mac)
        if before == after:
            continue
        if after is None:
            yield Change(Kind.REMOVE, "machine", mac, mac, (f"- {before.image if before else ''}",))
        elif before is None:
            yield Change(Kind.ADD, "machine", mac, mac, (f"+ {after.image}",))
        else:
            details = tuple(
                _difference(name, old, new)
                for name in ("image", "comment")
                if (old := getattr(before, name)) != (new := getattr(after, name))
            )
            yield Change(Kind.CHANGE, "machine", mac, mac, details)


def _difference(what: str, before: Any, after: Any) -> str:
    return f"{what}: {_shown(before)} -> {_shown(after)}"


def _shown(value: Any) -> str:
    return "(nothing)" if value in (None, "", [], ()) else str(value)
