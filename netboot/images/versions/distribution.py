"""Distribution: the status of a point, and what an update must do.

*Out of date* is never stored, but computed from the served version and the newest one.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from netboot.images.versions.content_version import ContentVersion


class DistributionStatus(StrEnum):
    """The status of an image on a point."""

    CURRENT = "CURRENT"
    OUT_OF_DATE = "OUT_OF_DATE"
    MISSING = "MISSING"
    ALTERED = "ALTERED"
    UNREACHABLE = "UNREACHABLE"


@dataclass(frozen=True, slots=True)
class UpdatePlan:
    """The steps of an update: `copy` blobs, `check` blobs, then switch to `version`."""

    version: ContentVersion
    copy: tuple[str, ...]
    check: tuple[str, ...]
    switch: bool


def status(
    *, served: int | None, newest: int | None, altered: bool = False, reachable: bool = True
) -> DistributionStatus:
    if not reachable:
        return DistributionStatus.UNREACHABLE
    if altered:
        return DistributionStatus.ALTERED
    if served is None:
        return DistributionStatus.MISSING
    if served != newest:
        return DistributionStatus.OUT_OF_DATE
    return DistributionStatus.CURRENT


def plan_update(
    version: ContentVersion, *, held: Collection[str], served: int | None
) -> UpdatePlan:
    """The update of a point that has the blobs `held` and serves number `served`."""
    digests = tuple(dict.fromkeys(file.digest for file in version.files))
    return UpdatePlan(
        version=version,
        copy=tuple(digest for digest in digests if digest not in held),
        check=digests,
        switch=served != version.number,
    )
