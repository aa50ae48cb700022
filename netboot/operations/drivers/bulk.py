"""Several drivers of the catalog at once: enabled, disabled, sorted, deleted.

A driver that cannot be changed stays as it is and is reported with the reason; the others are
changed. A name that matches none or several stops the whole before anything is changed.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from netboot.errors import InUse, InvalidInput
from netboot.images.drivers import catalog
from netboot.operations.drivers.drivers import delete_row, enable_row, find_driver
from netboot.site import Site
from netboot.store.database.records import DriverRow
from netboot.store.drivers.entry import DriverSummary
from netboot.store.drivers.rows import split_words, summary_value


@dataclass(frozen=True, slots=True)
class Treated:
    """The drivers as they are now, deleted ones as they were; `refused` holds (name, reason)."""

    drivers: tuple[DriverSummary, ...]
    refused: tuple[tuple[str, str], ...] = ()


def enable(site: Site, drivers: Iterable[str]) -> Treated:
    """Allow these in images. Raises NotFound, InvalidInput for ambiguous names."""

    def one(_session: Session, row: DriverRow) -> DriverSummary:
        enable_row(row)
        return summary_value(row)

    return _each(site, drivers, one)


def disable(site: Site, drivers: Iterable[str]) -> Treated:
    """Keep these out of more images. Raises NotFound, InvalidInput."""

    def one(_session: Session, row: DriverRow) -> DriverSummary:
        row.enabled = False
        return summary_value(row)

    return _each(site, drivers, one)


def sort(
    site: Site, drivers: Iterable[str], *, add: Iterable[str] = (), remove: Iterable[str] = ()
) -> Treated:
    """Add these to categories and remove them from others.

    Raises NotFound, InvalidInput for an invalid category, or without any.
    """
    wanted, unwanted = catalog.clean_categories(add), catalog.clean_categories(remove)
    if not wanted and not unwanted:
        raise InvalidInput("no category was named", hint="Name some to add or to remove.")

    def one(_session: Session, row: DriverRow) -> DriverSummary:
        gone = {word.casefold() for word in unwanted}
        kept = [word for word in split_words(row.categories) if word.casefold() not in gone]
        row.categories = "\n".join(catalog.clean_categories([*kept, *wanted]))
        return summary_value(row)

    return _each(site, drivers, one)


def delete(site: Site, drivers: Iterable[str]) -> Treated:
    """Delete these from the catalog, except those in an image. Raises NotFound."""

    def one(session: Session, row: DriverRow) -> DriverSummary:
        before = summary_value(row)
        delete_row(session, row)
        return before

    return _each(site, drivers, one)


def _each(
    site: Site, drivers: Iterable[str], change: Callable[[Session, DriverRow], DriverSummary]
) -> Treated:
    done: list[DriverSummary] = []
    refused: list[tuple[str, str]] = []
    with site.database.writing() as session:
        rows = {row.digest: row for row in (find_driver(session, name) for name in drivers)}
        for row in rows.values():
            name = row.name
            try:
                done.append(change(session, row))
            except (InvalidInput, InUse) as fault:
                refused.append((name, str(fault)))
    return Treated(tuple(done), tuple(refused))
