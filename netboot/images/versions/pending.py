"""What the next version changes: the recipe now against the recipe of the newest version."""

from collections.abc import Iterator, Mapping
from typing import Any

from netboot.images.boot_image.boot_image import BootImage, recipe
from netboot.images.versions.content_version import ContentVersion, DriverInVersion
from netboot.images.versions.version_change import Change, properties_changed


def pending_changes(
    newest: ContentVersion, built: Mapping[str, Any], image: BootImage
) -> tuple[Change, ...]:
    """Each change, `built` being the recipe of `newest`; none if there is nothing to build."""
    now = recipe(image)
    wanted = [DriverInVersion(one.digest, one.name, one.version) for one in image.drivers]
    return (
        *_drivers(newest.drivers, wanted),
        *properties_changed(built, now),
        *_source(built.get("source"), now["source"]),
        *_names(built, now),
    )


def _drivers(before: tuple[DriverInVersion, ...], after: list[DriverInVersion]) -> Iterator[Change]:
    old, new = ({one.digest: one for one in each} for each in (before, after))
    gone = {one.name: one for one in before if one.digest not in new}
    for driver in after:
        if driver.digest in old:
            continue
        earlier = gone.pop(driver.name, None)
        if earlier:
            yield Change(f"Driver {driver.name}", earlier.version, driver.version)
        else:
            yield Change("Driver added", "", f"{driver.name} {driver.version}".strip())
    for name, driver in gone.items():
        yield Change("Driver removed", f"{name} {driver.version}".strip(), "")
    kept = [[one.name for one in each if one.digest in old.keys() & new.keys()]
            for each in (before, after)]  # fmt: skip
    if kept[0] != kept[1]:
        yield Change("Order of the drivers", *(", ".join(names) for names in kept))


def _source(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> Iterator[Change]:
    if before is not None and before != after:
        pair = (f"{one['digest'][7:19]}, image {one['index']}" for one in (before, after))
        yield Change("Source", *pair)


def _names(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    """The name is in the boot menu and in reports; the format is how this netboot builds."""
    if before.get("name", after["name"]) != after["name"]:
        yield Change("Name", before["name"], after["name"])
    if before.get("format", after["format"]) != after["format"]:
        yield Change("Format of versions", str(before["format"]), str(after["format"]))
