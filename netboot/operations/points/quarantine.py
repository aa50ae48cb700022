"""Quarantine: damaged files that the scrub took out of use and kept for an inspection.

An administrator deletes them, or the daily clean-up after some time.
"""

import re
from dataclasses import dataclass
from typing import Literal

from netboot.errors import InvalidInput, NotFound
from netboot.operations.points import cleanup
from netboot.site import Site
from netboot.store.content.blobs import BlobStore
from netboot.store.content.quarantine import list_aside

Where = Literal["site", "point"]

_DIGEST = re.compile(r"(sha256:)?([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Altered:
    """One damaged file: the digest it should have, its bytes, and when it was found.

    `at` is epoch seconds, `where` its store, `what` the purpose as far as it is known.
    """

    digest: str
    size: int
    at: float
    where: Where
    what: str


@dataclass(frozen=True, slots=True)
class Deleted:
    """How many files were deleted, and their bytes."""

    files: int
    size: int


def list_altered(site: Site) -> list[Altered]:
    """All quarantined files, newest first."""
    stores: tuple[tuple[Where, BlobStore], ...] = (
        ("site", site.blobs),
        ("point", site.point.blobs),
    )
    found = [(where, one) for where, store in stores for one in list_aside(store.root)]
    if not found:
        return []
    needed = {digest: what for _store, what, digest in cleanup.stored(site)}
    views = [
        Altered(one.digest, one.size, one.at, where, needed.get(one.digest, "nothing any more"))
        for where, one in found
    ]
    return sorted(views, key=lambda view: (-view.at, view.digest, view.where))


def delete_altered(site: Site, digest: str = "") -> Deleted:
    """Delete the files of this digest, or all. Raises InvalidInput, NotFound."""
    match = _DIGEST.fullmatch(digest.strip().lower())
    if digest and match is None:
        raise InvalidInput(f"{digest[:80]!r} is not a digest", hint="See: netboot site altered")
    wanted = f"sha256:{match[2]}" if match else ""
    gone = cleanup.delete_set_aside(site, lambda one: wanted in {"", one.digest})
    if digest and not gone:
        raise NotFound(
            f"no damaged bytes of {digest[:80]} are kept", hint="See: netboot site altered"
        )
    return Deleted(len(gone), sum(gone))
