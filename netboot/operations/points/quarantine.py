"""Damaged bytes that were set aside: which there are, and how they go.

The scrub moves what was altered out of use and keeps it, so that somebody can look at it (with
what was it damaged, and when?). An administrator deletes it, or the daily clean-up after a time.
"""

import re
from dataclasses import dataclass
from typing import Literal

from netboot.errors import InvalidInput, NotFound
from netboot.operations.points import cleanup as housekeeping
from netboot.site import Site
from netboot.store.content.blobs import BlobStore
from netboot.store.content.quarantine import list_aside

Where = Literal["site", "point"]

_DIGEST = re.compile(r"(sha256:)?([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Altered:
    """One file of damaged bytes: what its digest should be, bytes, since when (epoch seconds).

    `where` is the store that it lay in; `what` is what it was needed for, as far as is known.
    """

    digest: str
    size: int
    at: float
    where: Where
    what: str


@dataclass(frozen=True, slots=True)
class Deleted:
    """How many files went, and the bytes that they had."""

    files: int
    size: int


def list_altered(site: Site) -> list[Altered]:
    """All that was set aside, newest first."""
    stores: tuple[tuple[Where, BlobStore], ...] = (
        ("site", site.blobs),
        ("point", site.point.blobs),
    )
    found = [(where, one) for where, store in stores for one in list_aside(store.root)]
    if not found:
        return []
    needed = {digest: what for _store, what, digest in housekeeping.stored(site)}
    views = [
        Altered(one.digest, one.size, one.at, where, needed.get(one.digest, "nothing any more"))
        for where, one in found
    ]
    return sorted(views, key=lambda view: (-view.at, view.digest, view.where))


def delete_altered(site: Site, digest: str = "") -> Deleted:
    """Delete the damaged bytes of this digest, or all of them when none is named.

    Raises InvalidInput for what is no digest, NotFound.
    """
    wanted = _digest(digest) if digest else ""
    gone = housekeeping.delete_set_aside(site, lambda one: wanted in {"", one.digest})
    if digest and not gone:
        raise NotFound(
            f"no damaged bytes of {digest[:80]} are kept", hint="See: netboot site altered"
        )
    return Deleted(len(gone), sum(gone))


def _digest(text: str) -> str:
    match = _DIGEST.fullmatch(text.strip().lower())
    if match is None:
        raise InvalidInput(f"{text[:80]!r} is no digest", hint="See: netboot site altered")
    return f"sha256:{match[2]}"
