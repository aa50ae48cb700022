"""One image's versions over the API: their files, and what differs between two; its source."""

from dataclasses import asdict
from typing import Any

from pydantic import BaseModel, Field

from netboot.operations.images import images as operations
from netboot.operations.versions import versions as version_operations
from web.api.images.images import ImagePath, Version
from web.api.subject import LARGEST_NUMBER, Subject, Value
from web.guard.access import Role, site
from web.live.turns import out_of_turn

versions = Subject("versions", "Built versions, compared; the source they are built from.",
                   below="images")  # fmt: skip


class VersionPath(ImagePath):
    """A version of an image by its number."""

    number: int = Field(ge=1, le=LARGEST_NUMBER)


class Change(Value):
    """One thing that differs: what it was and what it is, empty for what was not there."""

    name: str
    before: str
    after: str


class FileChanges(Value):
    """Paths in the WIM that differ, not all of them where there are many; the counts are whole."""

    added: list[str]
    removed: list[str]
    changed: list[str]
    added_count: int
    removed_count: int
    changed_count: int


class VersionsCompared(Value):
    """All that version `new` has and `old` has not, and the other way round."""

    old: int
    new: int
    source: Change | None
    drivers: list[Change]
    properties: list[Change]
    files: list[Change]
    inside: FileChanges | None = Field(description="Null where the WIMs could not be read.")


class TwoVersions(BaseModel):
    """The versions to compare."""

    old: int = Field(ge=1, le=LARGEST_NUMBER)
    new: int = Field(ge=1, le=LARGEST_NUMBER)


class SourceChange(Value):
    """What a newer source would change; `conflicts` keep it from being taken."""

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
    """A newer source that was examined and waits for a word."""

    digest: str
    name: str
    size: int
    at: float
    report: SourceChange


class Source(Value):
    """The file that versions are built from, all that is known about it, and a newer one."""

    name: str
    digest: str
    size: int
    altered: bool
    facts: dict[str, Any]
    candidate: Candidate | None


@versions.verb("GET", "/<slug>/versions/<int:number>", needs=Role.VIEWER, gives=Version)
def get_version(path: VersionPath) -> Version:
    """One version with its files."""
    return Version.of(operations.get_image(site(), path.slug).require_version(path.number))


@versions.verb("GET", "/<slug>/compare", needs=Role.VIEWER, gives=VersionsCompared)
@out_of_turn
def compare_versions(path: ImagePath, query: TwoVersions) -> VersionsCompared:
    """What differs between two versions: source, drivers, properties, files."""
    image = operations.get_image(site(), path.slug)
    found = version_operations.compare(site(), image.name, query.old, query.new)
    return VersionsCompared.model_validate(found)


@versions.verb("GET", "/<slug>/source", needs=Role.VIEWER, gives=Source)
def get_source(path: ImagePath) -> Source:
    """The image's source, and the report on a newer one where one waits."""
    image = operations.get_image(site(), path.slug)
    newer = image.candidate
    return Source(
        name=image.source_name,
        digest=image.source_digest,
        size=image.source_size,
        altered=bool(image.source_altered_at),
        facts=asdict(image.facts),
        candidate=Candidate.model_validate(newer) if newer else None,
    )
