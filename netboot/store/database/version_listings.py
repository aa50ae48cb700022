"""The files inside the WIM of each version, as rows: written once, read by comparisons.

Listing a WIM takes a sandbox and a second or more; a built version never changes.
"""

import json
from collections.abc import Collection, Mapping

from sqlalchemy import ForeignKey, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from netboot.store.database.records import Row
from netboot.store.database.upsert import upsert


class VersionListingRow(Row):
    """`files` is a JSON object: SHA-1 by path. It goes with its version."""

    __tablename__ = "version_listings"

    version_id: Mapped[int] = mapped_column(
        ForeignKey("versions.id", ondelete="CASCADE"), primary_key=True
    )
    files: Mapped[str] = mapped_column(Text)


def find(session: Session, versions: Collection[int]) -> dict[int, dict[str, str]]:
    """SHA-1 by path for each of these versions, by the version's id, as far as they are stored."""
    columns = (VersionListingRow.version_id, VersionListingRow.files)
    rows = session.execute(select(*columns).where(VersionListingRow.version_id.in_(versions)))
    return {version: json.loads(files) for version, files in rows}


def keep(session: Session, version: int, files: Mapping[str, str]) -> None:
    """Store the files of a version, which exists."""
    # Not pydantic: a path in a WIM may hold half of a surrogate pair, which JSON escapes.
    row = {"version_id": version, "files": json.dumps(files, separators=(",", ":"))}
    upsert(session, VersionListingRow, [row], key="version_id")
