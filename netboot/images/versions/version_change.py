"""The differences between two versions of an image, by their manifests and recipes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from netboot.images.boot_image.properties import NO_PROPERTIES, PROPERTY_WORDS
from netboot.images.servicing.source_change import FileChanges, Listing, compare_files
from netboot.images.versions.content_version import ContentVersion


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: its old and new value, empty if there was none."""

    name: str
    before: str
    after: str

    @property
    def words(self) -> str:
        """As one line."""
        if self.before and self.after:
            return f"{self.name}: {self.before} → {self.after}"
        gone = " → none" if self.before and "removed" not in self.name else ""
        return f"{self.name}: {self.after or self.before}{gone}"


@dataclass(frozen=True, slots=True)
class VersionChange:
    """All differences between the versions `old` and `new`.

    `files` are those for clients; `inside` are the paths in the WIM, None if not read.
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
    both = old, new
    drivers = [{one.name: (one.digest, one.version) for one in each.drivers} for each in both]
    files = [{one.name: (one.digest, f"{one.size} bytes") for one in each.files} for each in both]
    listed = old_files is not None and new_files is not None
    return VersionChange(
        old=old.number,
        new=new.number,
        drivers=tuple(_changes(*drivers)),
        properties=tuple(properties_changed(old_recipe, new_recipe)),
        source=_source(old_recipe, new_recipe),
        files=tuple(_changes(*files)),
        inside=compare_files(old_files or {}, new_files or {}) if listed else None,
    )


def _changes(
    old: Mapping[str, tuple[str, str]], new: Mapping[str, tuple[str, str]]
) -> Iterator[Change]:
    """The changes of things by name, each given as its digest and its shown value."""
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name, ("", "")), new.get(name, ("", ""))
        if before != after:
            yield Change(name, before[1], after[1])


def properties_changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    """The properties in which two recipes differ."""
    before, after = (recipe.get("properties", {}) for recipe in (old, new))
    for name, words in PROPERTY_WORDS.items():
        usual = getattr(NO_PROPERTIES, name)
        pair = [_shown(value.get(name, usual), usual) for value in (before, after)]
        if pair[0] != pair[1]:
            yield Change(words, *pair)


def _shown(value: object, usual: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case int() if value or usual:  # 0 is a value where it is not the usual one
            return str(value)
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
