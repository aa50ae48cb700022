"""Import of driver packages: from a folder, an INF or an archive into the catalog."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from netboot.errors import InvalidInput
from netboot.images.driver import Driver
from netboot.operations.drivers import ImportReport
from netboot.site import Site
from netboot.store.catalog_rows import driver_row, driver_value, id_rows
from netboot.store.driver_folders import (
    ImportedDriver,
    ImportResult,
    RefusedInf,
    driver_source,
    read_drivers,
)
from netboot.store.driver_folders import Progress as ReadingProgress
from netboot.store.records import DriverRow, HardwareIdRow

Progress = Callable[[float, str], None]

BATCH = 64  # packages in one transaction: few enough that pages never wait for the lock


@dataclass
class _Tally:
    new: list[Driver] = field(default_factory=list)
    duplicates: list[Driver] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    new_ids: set[str] = field(default_factory=set)

    def report(self) -> ImportReport:
        return ImportReport(
            new=tuple(self.new),
            duplicates=tuple(self.duplicates),
            refused=tuple(self.refused),
            new_hardware_ids=tuple(sorted(self.new_ids)),
        )


def import_drivers(site: Site, path: Path, *, progress: Progress | None = None) -> ImportReport:
    """Take every driver package at `path` into the catalog, not enabled.

    `path` is a folder, an INF, a ZIP, a CAB or a vendor's self-extracting pack. What is known
    already (by its content) is not stored again; what cannot be used is refused one by one,
    and the rest is imported all the same.

    Raises InvalidInput where there is no INF at all, Quarantined for a hostile archive.
    """
    tally = _Tally()

    def tell(reading: ReadingProgress) -> None:
        if progress is not None:
            progress(reading.done / max(1, reading.total), reading.current or "done")

    with (
        site.blobs.staging_folder() as scratch,
        driver_source(path, scratch=scratch) as source,
    ):
        for batch in _batches(read_drivers(source, tell)):
            _store(site, batch, tally)
    return tally.report()


def _store(site: Site, batch: list[ImportResult], tally: _Tally) -> None:
    """Blobs first, rows after: a crash in between leaves bytes that nothing names."""
    packages = []
    for result in batch:
        if isinstance(result, RefusedInf):
            tally.refused.append((result.path, result.reason))
        else:
            packages.append(result)
    for package in packages:
        _store_files(site, package)  # of known drivers, too: a file that was lost is there again
    with site.database.writing() as session:
        for package in packages:
            _store_row(session, package, tally)


def _store_files(site: Site, package: ImportedDriver) -> None:
    for file, path in package.files:
        if not site.blobs.keep(file.digest):
            stored = site.blobs.add_file(path)
            if stored.digest != file.digest:
                raise InvalidInput(f"{path} changed while it was imported", hint="Import it again.")


def _store_row(session: Session, package: ImportedDriver, tally: _Tally) -> None:
    row = session.get(DriverRow, package.driver.digest)
    if row is not None:
        tally.duplicates.append(driver_value(row))
        return
    rows = id_rows(package.driver)
    covered = set(
        session.scalars(
            select(HardwareIdRow.hardware_id).where(
                HardwareIdRow.hardware_id.in_([r.hardware_id for r in rows])
            )
        )
    )
    tally.new_ids.update(r.hardware_id for r in rows if r.hardware_id not in covered)
    session.add(driver_row(package.driver))
    session.flush()
    session.add_all(rows)
    session.flush()
    tally.new.append(package.driver)


def _batches(results: Iterator[ImportResult]) -> Iterator[list[ImportResult]]:
    while batch := list(islice(results, BATCH)):
        yield batch
