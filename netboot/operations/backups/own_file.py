"""The SQLite file of a site: another takes its place, and it is kept, not deleted."""

from contextlib import suppress
from pathlib import Path

from netboot.store.content.blobs import sync_folder

SQLITE = "sqlite"
"""In the place of a URL: the database in the data folder."""

NAME = "site.db"
_ENDS = ("-shm", "-wal", "")
"""The log first: SQLite deletes a log that it finds next to a new database."""


def part_of(data: Path, stamp: str) -> Path:
    """Where a new database is made until it takes its place."""
    return data / f"{NAME}.{stamp}.part"


def put_in_place(data: Path, part: Path, kept: str) -> str:
    """Give a new, closed database the site's name; the old one gets the name `kept`, if any is."""
    found = False
    for end in _ENDS:
        with suppress(FileNotFoundError):
            (data / f"{NAME}{end}").rename(data / f"{kept}{end}")
            found = True
    part.rename(data / NAME)
    sync_folder(data)
    return kept if found else ""


def remove_part(part: Path) -> None:
    """Remove a database that was not finished."""
    for end in _ENDS:
        Path(f"{part}{end}").unlink(missing_ok=True)
