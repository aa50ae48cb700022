"""Distribution: what a point holds against what it should hold, and what an update must do.

*Out of date* is never stored: it is the comparison of what the point serves with the newest
version built.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from netboot.images.versions.content_version import ContentVersion


class DistributionStatus(StrEnum):
    """How a point stands towards an image."""

    CURRENT = "CURRENT"
    OUT_OF_DATE = "OUT_OF_DATE"
    MISSING = "MISSING"
    ALTERED = "ALTERED"
    UNREACHABLE = "UNREACHABLE"


@dataclass(frozen=True, slots=True)
class UpdatePlan:
    """What an update has to do: copy these blobs, check those, then switch to `version`."""

    version: ContentVersion
    copy: tuple[str, ...]
    check: tuple[str, ...]
    switch: bool

    @property
    def copy_bytes(self) -> int:
        """Bytes that have to be copied."""
        wanted = set(self.copy)
        sizes = {file.digest: file.size for file in self.version.files}
        return sum(size for digest, size in sizes.items() if digest in wanted)


def status(
    *, served: int | None, newest: int | None, altered: bool = False, reachable: bool = True
) -> DistributionStatus:
    """The state of one image on one point, by comparison."""
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
    """What is missing on a point that holds the blobs `held` and serves number `served`."""
    digests = tuple(dict.fromkeys(file.digest for file in version.files))
    return UpdatePlan(
        version=version,
        copy=tuple(digest for digest in digests if digest not in held),
        check=digests,
        switch=served != version.number,
    )
