"""Reads driver packages from a folder, an INF, or an archive: one result for each INF.

It stores nothing: a result has the paths of the files, which are valid until the source is closed.
Each file is hashed once, even if many INFs name it. Links are not followed, and files whose names
differ only in case are not used.
"""

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from netboot.errors import FormatError, InvalidInput
from netboot.formats.inf.inf import Inf, parse
from netboot.formats.inf.lexer import MAX_BYTES
from netboot.images.drivers.driver import Driver, DriverFile
from netboot.images.drivers.package import AvailableFile, Refused, make_driver, plan
from netboot.store.drivers.file_description import catalog_members, examine
from netboot.store.foreign.archives import SourceFile, unpacked
from netboot.store.foreign.unpackers import Limits

MAX_FILES = 500_000
_ARCHIVES = frozenset({".zip", ".cab", ".7z", ".exe"})


@dataclass(frozen=True, slots=True)
class ImportedDriver:
    """A package that was read. `files` has each of the driver's files with the path of its bytes.

    `source` is the name of the INF in the folder or archive.
    """

    driver: Driver
    files: tuple[tuple[DriverFile, Path], ...]
    source: str


@dataclass(frozen=True, slots=True)
class RefusedInf:
    """An INF that is not a driver, and why."""

    path: str
    reason: str


ImportResult = ImportedDriver | RefusedInf


@dataclass(slots=True)
class DriverSource:
    """Files that may be drivers. `refused` has the reason for names that are not opened."""

    files: Mapping[str, SourceFile]
    infs: tuple[str, ...]
    refused: Mapping[str, str]
    _spelling: dict[str, str] = field(default_factory=dict)
    _read: dict[str, AvailableFile] = field(default_factory=dict)
    _members: dict[str, frozenset[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._spelling = {name.casefold(): name for name in self.files}

    def find(self, name: str) -> str | None:
        """The actual spelling of a name, found in any case."""
        return self._spelling.get(name.casefold())

    def available(self, name: str) -> AvailableFile:
        """The description of a file, read once."""
        known = self._read.get(name)
        if known is None:
            known = self._read[name] = examine(self.files[name].path, name)
        return known

    def listed(self, name: str) -> frozenset[bytes]:
        """The digests in a catalog file, read once. Raises FormatError if it is not one."""
        known = self._members.get(name)
        if known is None:
            known = self._members[name] = catalog_members(self.files[name].path)
        return known


@contextmanager
def driver_source(
    path: Path, *, scratch: Path, limits: Limits | None = None
) -> Iterator[DriverSource]:
    """Open a folder, an INF or an archive; unpacked files are below `scratch` until the end.

    Raises InvalidInput if it does not exist or has no INF, Quarantined for a dangerous archive.
    """
    _check_kind(path)
    if path.is_dir():
        yield _source(*_walk(path), label=str(path))
    elif path.suffix.lower() == ".inf":
        source = _source(*_walk(path.parent), label=str(path))
        source.infs = (path.name,)
        yield source
    else:
        with unpacked(path, scratch, limits or Limits()) as files:
            yield _source({file.name: file for file in files}, {}, label=path.name)


def _check_kind(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as fault:
        raise InvalidInput(f"{path} does not exist") from fault
    except OSError as fault:
        raise InvalidInput(f"{path} cannot be opened: {fault.strerror}") from fault
    if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
        raise InvalidInput(
            f"{path} is neither a file nor a folder", hint="Choose a folder, an INF or an archive."
        )


def _listing(folder: Path) -> list[os.DirEntry[str]]:
    try:
        return sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as fault:
        raise InvalidInput(f"{folder} cannot be read: {fault.strerror}") from fault


def read_driver(source: DriverSource, name: str) -> ImportResult:
    if name in source.refused:
        return RefusedInf(name, source.refused[name])
    file = source.files[name]
    if file.size > MAX_BYTES:
        return RefusedInf(name, f"an INF larger than {MAX_BYTES >> 20} MiB")
    try:
        inf = parse(file.path.read_bytes())
        return _package(source, name, inf)
    except FormatError as error:
        return RefusedInf(name, str(error))
    except OSError as error:
        return RefusedInf(name, f"cannot be read: {error.strerror}")


def _package(source: DriverSource, name: str, inf: Inf) -> ImportResult:
    folder, slash, inf_name = name.rpartition("/")
    prefix = folder + slash

    def find(path: str) -> str | None:
        found = source.find(prefix + path)
        return found[len(prefix) :] if found else None

    planned = plan(inf, inf_name, find)
    listing = {path: source.available(prefix + path) for path in planned.files}
    listed: frozenset[bytes] | None = None
    doubts: list[str] = []
    try:
        listed = source.listed(prefix + planned.catalog) if planned.catalog else None
    except FormatError as error:
        doubts.append(f"The catalog file {planned.catalog} cannot be read ({error}).")
    driver = make_driver(inf, inf_name, planned, listing, listed)
    if isinstance(driver, Refused):
        return RefusedInf(name, driver.reason)
    driver = replace(driver, findings=(*driver.findings, *doubts))
    files = tuple((file, source.files[prefix + file.path].path) for file in driver.files)
    return ImportedDriver(driver, files, name)


def _walk(folder: Path) -> tuple[dict[str, SourceFile], dict[str, str]]:
    """The regular files below a folder, and the names that are not opened."""
    files: dict[str, SourceFile] = {}
    refused: dict[str, str] = {}
    spelling: dict[str, str] = {}
    waiting = [("", folder)]
    while waiting:
        prefix, here = waiting.pop()
        for entry in _listing(here):
            name = prefix + entry.name
            if entry.is_symlink() or not (entry.is_dir() or entry.is_file()):
                refused[name] = "a link or a special file, which is not followed"
            elif rival := spelling.get(name.casefold()):
                files.pop(rival, None)
                reason = f"{rival} and {name} differ only in case"
                refused |= {rival: reason, name: reason}
            elif entry.is_dir():
                spelling[name.casefold()] = name
                waiting.append((f"{name}/", Path(entry.path)))
            else:
                spelling[name.casefold()] = name
                files[name] = SourceFile(name, Path(entry.path), entry.stat().st_size)
        if len(files) > MAX_FILES:
            raise InvalidInput(
                f"{folder} contains more than {MAX_FILES} files",
                hint="Choose the folder of one vendor.",
            )
    return files, refused


def _source(files: dict[str, SourceFile], refused: dict[str, str], *, label: str) -> DriverSource:
    infs = tuple(sorted(n for n in (*files, *refused) if n.lower().endswith((".inf", ".inx"))))
    if not infs:
        nested = [name for name in files if Path(name).suffix.lower() in _ARCHIVES]
        hint = "A driver needs an .inf file. Extract installation programs first."
        if nested:
            hint = f"Archives inside it are not opened. Import {nested[0]} separately."
        raise InvalidInput(f"there is no INF in {label}", hint=hint)
    return DriverSource(MappingProxyType(files), infs, MappingProxyType(refused))
