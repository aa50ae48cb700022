"""Import of driver packages: from a folder, an INF or an archive into the catalog."""

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from netboot.operations import jobs
from netboot.operations.jobs import JobKind
from netboot.progress import Progress, silent
from netboot.site import Site
from netboot.store.drivers.entry import DriverSummary
from netboot.store.drivers.folders import RefusedInf, driver_source
from netboot.store.drivers.readers import StoredPackage, StoredResult, store_packages
from netboot.store.drivers.rows import add_entries, summaries_of

RECORDED_AT_ONCE = 256
"""Packages in a transaction: each rewrites a large part of the index of hardware ids."""

LISTED = 500
"""Entries of each kind that a shortened report lists."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """The result of an import; `refused` holds (path, reason) pairs.

    `new_hardware_ids` are those that no driver of the catalog claimed before.
    """

    new: tuple[DriverSummary, ...]
    duplicates: tuple[DriverSummary, ...]
    refused: tuple[tuple[str, str], ...]
    new_hardware_ids: tuple[str, ...] = ()

    def shortened(self) -> dict[str, Any]:
        """The report as plain values: the first entries of each list, and its whole length."""
        return {
            "new": [_plain(driver) for driver in self.new[:LISTED]],
            "new_count": len(self.new),
            "duplicates": [_plain(driver) for driver in self.duplicates[:LISTED]],
            "duplicate_count": len(self.duplicates),
            "refused": [list(pair) for pair in self.refused[:LISTED]],
            "refused_count": len(self.refused),
            "newly_covered": list(self.new_hardware_ids[:LISTED]),
            "newly_covered_count": len(self.new_hardware_ids),
        }


def _plain(driver: DriverSummary) -> dict[str, Any]:
    return {
        "digest": driver.digest,
        "name": driver.name,
        "version": driver.version,
        "kind": driver.kind.value,
        "ids": driver.ids,
        "findings": list(driver.findings),
    }


@dataclass
class _Tally:
    new: list[DriverSummary] = field(default_factory=list)
    duplicates: list[DriverSummary] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    new_ids: list[str] = field(default_factory=list)

    def report(self) -> ImportReport:
        return ImportReport(
            new=tuple(self.new),
            duplicates=tuple(self.duplicates),
            refused=tuple(self.refused),
            new_hardware_ids=tuple(sorted(self.new_ids)),
        )


def ask_import(site: Site, path: Path, label: str) -> jobs.JobView:
    """Queue an import of the uploaded packages; the uploader calls them `label`."""
    return jobs.submit(
        site, JobKind.IMPORT_DRIVERS, {"path": str(path)}, title=f"Import drivers from {label}"
    )


def import_drivers(site: Site, path: Path, *, progress: Progress = silent) -> ImportReport:
    """Import every driver package at `path` into the catalog, not enabled.

    `path` is a folder, an INF, a ZIP, a CAB or a vendor's self-extracting pack. A known package (by
    its content) is not stored again; an unusable one is refused, and the rest is imported. Raises
    InvalidInput if there is no INF at all, Quarantined for a hostile archive.
    """
    tally = _Tally()
    progress(0.0, "opening")
    with (
        site.blobs.staging_folder() as scratch,
        driver_source(path, scratch=scratch) as source,
        closing(store_packages(source, site.blobs)) as batches,
    ):
        total, read = len(source.infs), 0
        progress(0.0, f"0 of {total} packages")
        waiting: list[StoredResult] = []
        for batch in batches:
            waiting += batch
            read += len(batch)
            if len(waiting) >= RECORDED_AT_ONCE or read == total:
                _record(site, waiting, tally)
                waiting = []
            progress(read / total, f"{read} of {total} packages")
        _record(site, waiting, tally)
    return tally.report()


def _record(site: Site, batch: Iterable[StoredResult], tally: _Tally) -> None:
    """The rows of some packages, whose files are already in the store.

    A crash before this leaves blobs without a reference, which the clean-up deletes.
    """
    packages: list[StoredPackage] = []
    for result in batch:
        if isinstance(result, RefusedInf):
            tally.refused.append((result.path, result.reason))
        else:
            packages.append(result)
    if not packages:
        return
    with site.database.writing() as session:
        known = summaries_of(session, {package.entry.summary.digest for package in packages})
        new = {}
        for package in packages:
            digest = package.entry.summary.digest
            if digest in known:
                tally.duplicates.append(known[digest])
            else:
                new[digest] = package.entry
                known[digest] = package.entry.summary
        tally.new_ids += add_entries(session.connection(), list(new.values()))
    tally.new += [one.summary for one in new.values()]
