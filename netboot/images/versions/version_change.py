"""What differs between two versions of an image: drivers, properties, files.

A version is what its manifest says together with the recipe that it was built from.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from netboot.images.boot_image.properties import NO_PROPERTIES, PROPERTY_WORDS
from netboot.images.servicing.source_change import FileChanges, Listing, compare_files
from netboot.images.versions.content_version import ContentVersion


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs: what it was and what it is, empty for what was not there."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class VersionChange:
    """All differences between version `old` and version `new`.

    `files` are those that clients get, sizes in bytes. `inside` are the paths in the WIM, None
    where they were not read.
    """

    old: int
    new: int
    drivers: tuple[Change, ...]
    properties: tuple[Change, ...]
    source: Change | None
    files: tuple[Change, ...]
    inside: FileChanges | None = None


def compare_versions(
    old: ContentVersion,
    new: ContentVersion,
    *,
    old_recipe: Mapping[str, Any],
    new_recipe: Mapping[str, Any],
    old_files: Listing | None = None,
    new_files: Listing | None = None,
) -> VersionChange:
    """What version `new` has that `old` has not, and the other way round."""
    listed = old_files is not None and new_files is not None
    return VersionChange(
        old=old.number,
        new=new.number,
        drivers=tuple(
            _changes(
                {driver.name: (driver.digest, driver.version) for driver in old.drivers},
                {driver.name: (driver.digest, driver.version) for driver in new.drivers},
            )
        ),
        properties=tuple(_properties(old_recipe, new_recipe)),
        source=_source(old_recipe, new_recipe),
        files=tuple(
            _changes(
                {file.name: (file.digest, f"{file.size} bytes") for file in old.files},
                {file.name: (file.digest, f"{file.size} bytes") for file in new.files},
            )
        ),
        inside=compare_files(old_files or {}, new_files or {}) if listed else None,
    )


def _changes(
    old: Mapping[str, tuple[str, str]], new: Mapping[str, tuple[str, str]]
) -> Iterator[Change]:
    """Things by name, each with its digest and the words that are shown of it."""
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name, ("", "")), new.get(name, ("", ""))
        if before != after:
            yield Change(name, before[1], after[1])


def _properties(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    before, after = (recipe.get("properties", {}) for recipe in (old, new))
    for name, words in PROPERTY_WORDS.items():
        usual = getattr(NO_PROPERTIES, name)
        pair = [_shown(value.get(name, usual)) for value in (before, after)]
        if pair[0] != pair[1]:
            yield Change(words, *pair)


def _shown(value: object) -> str:
    """A property's value for people."""
    match value:
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(f"{file['path']} ({file['digest'][7:15]})" for file in value)
        case str() if value.startswith("sha256:"):
            return value[7:19]
    return str(value or "")


def _source(old: Mapping[str, Any], new: Mapping[str, Any]) -> Change | None:
    pair = [
        f"{source['digest'][7:19]}, image {source['index']}" if source else ""
        for source in (old.get("source"), new.get("source"))
    ]
    return Change("Source", *pair) if pair[0] != pair[1] else None
