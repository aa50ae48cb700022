"""Versions of a boot image over the API: their files, their differences and their source."""

from dataclasses import asdict
from typing import Any

from pydantic import BaseModel, Field

from netboot.operations.images import images as operations
from netboot.operations.versions.versions import compare
from web.api.images.images import ImagePath, Version
from web.api.subject import LARGEST_NUMBER, Subject, Value
from web.guard.access import Role, site

versions = Subject(
    "versions", "Content versions, their differences and their source.", below="images"
)


class VersionPath(ImagePath):
    """A version of a boot image by its number."""

    number: int = Field(ge=1, le=LARGEST_NUMBER)


class Change(Value):
    """One difference; empty means not present."""

    name: str
    before: str
    after: str


class FileChanges(Value):
    """Paths in the WIM that differ. Long lists are cut; the counts are complete."""

    added: list[str]
    removed: list[str]
    changed: list[str]
    added_count: int
    removed_count: int
    changed_count: int


class VersionsCompared(Value):
    """All differences between version `old` and version `new`."""

    old: int
    new: int
    source: Change | None
    drivers: list[Change]
    properties: list[Change]
    files: list[Change]
    inside: FileChanges | None = Field(description="Null if the WIM files could not be read.")


class TwoVersions(BaseModel):
    """The versions to compare."""

    old: int = Field(ge=1, le=LARGEST_NUMBER)
    new: int = Field(ge=1, le=LARGEST_NUMBER)


class SourceChange(Value):
    """What a newer source would change; `conflicts` prevent its use."""

    old_version: str
    new_version: str
    size_change: int
    files: FileChanges
    boot_files: FileChanges
    now_inbox: list[str]
    no_longer_inbox: list[str]
    packages_added: list[str]
    packages_removed: list[str]
    new_secrets: list[str]
    remarks: list[str]
    conflicts: list[str]


class Candidate(Value):
    """A newer source that needs a decision."""

    digest: str
    name: str
    size: int
    at: float
    report: SourceChange


class Source(Value):
    """The source of a boot image with its details, and a newer one if any."""

    name: str
    digest: str
    size: int
    altered: bool
    facts: dict[str, Any]
    candidate: Candidate | None


@versions.verb("GET", "/<slug>/versions/<int:number>", needs=Role.VIEWER)
def get_version(path: VersionPath) -> Version:
    """Get a version with its files."""
    return Version.of(operations.get_image(site(), path.slug).require_version(path.number))


@versions.verb("GET", "/<slug>/compare", needs=Role.VIEWER)
def compare_versions(path: ImagePath, query: TwoVersions) -> VersionsCompared:
    """Compare two versions: source, drivers, properties and files."""
    return VersionsCompared.of(compare(site(), path.slug, query.old, query.new))


@versions.verb("GET", "/<slug>/source", needs=Role.VIEWER)
def get_source(path: ImagePath) -> Source:
    """Get the source of a boot image, and the report on a newer one."""
    image = operations.get_image(site(), path.slug)
    newer = image.candidate
    return Source(
        name=image.source_name,
        digest=image.source_digest,
        size=image.source_size,
        altered=bool(image.source_altered_at),
        facts=asdict(image.facts),
        candidate=Candidate.of(newer) if newer else None,
    )
