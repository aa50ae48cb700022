"""Driver packages read from a folder, an INF, or an archive: one result per INF, as they come.

Nothing is stored here: a result names the files and where their bytes lie until the source
is closed. Each payload file is hashed once, however many INFs name it. Links are not
followed, and a name that comes twice but for case is not used.
"""

import os
from collections.abc import Callable, Iterator, Mapping
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
    """A package that was read. `files` pairs each of the driver's files with its bytes' place.

    `source` is the INF's name in the folder or archive.
    """

    driver: Driver
    files: tuple[tuple[DriverFile, Path], ...]
    source: str


@dataclass(frozen=True, slots=True)
class RefusedInf:
    """An INF that makes no driver, and why."""

    path: str
    reason: str


ImportResult = ImportedDriver | RefusedInf


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a reading is: `done` of `total` INFs, now at `current`."""

    done: int
    total: int
    current: str


@dataclass(slots=True)
class DriverSource:
    """Files that may hold drivers. `refused` maps names that are not opened to the reason."""

    files: Mapping[str, SourceFile]
    infs: tuple[str, ...]
    refused: Mapping[str, str]
    _spelling: dict[str, str] = field(default_factory=dict)
    _read: dict[str, AvailableFile] = field(default_factory=dict)
    _members: dict[str, frozenset[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._spelling = {name.casefold(): name for name in self.files}

    def find(self, name: str) -> str | None:
        """The true spelling of a name, whatever its case."""
        return self._spelling.get(name.casefold())

    def available(self, name: str) -> AvailableFile:
        """What a file is, read at the first question."""
        known = self._read.get(name)
        if known is None:
            known = self._read[name] = examine(self.files[name].path, name)
        return known

    def vouched(self, name: str) -> frozenset[bytes]:
        """The members of a catalog file, read at the first question.

        Raises:
            FormatError: it is no catalog file.
        """
        known = self._members.get(name)
        if known is None:
            known = self._members[name] = catalog_members(self.files[name].path)
        return known


@contextmanager
def driver_source(
    path: Path, *, scratch: Path, limits: Limits | None = None
) -> Iterator[DriverSource]:
    """Open a folder, an INF or an archive; unpacked files lie below `scratch` until the end.

    Raises:
        InvalidInput: there is nothing, or no INF in it (with a hint).
        Quarantined: an archive that could do harm.
    """
    if not path.exists():
        raise InvalidInput(f"{path} does not exist")
    if path.is_dir():
        yield _source(*_walk(path), label=str(path))
    elif path.suffix.lower() == ".inf":
        source = _source(*_walk(path.parent), label=str(path))
        source.infs = (path.name,)
        yield source
    else:
        with unpacked(path, scratch, limits or Limits()) as files:
            yield _source({file.name: file for file in files}, {}, label=path.name)


def read_drivers(
    source: DriverSource, on_progress: Callable[[Progress], None] | None = None
) -> Iterator[ImportResult]:
    """One result for each INF of the source."""
    total = len(source.infs)
    for done, name in enumerate(source.infs):
        if on_progress:
            on_progress(Progress(done, total, name))
        yield read_driver(source, name)
    if on_progress:
        on_progress(Progress(total, total, ""))


def read_driver(source: DriverSource, name: str) -> ImportResult:
    """What one INF of the source makes."""
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
    vouched, doubt = _vouched(source, prefix, planned.catalog)
    driver = make_driver(inf, inf_name, planned, listing, vouched)
    if isinstance(driver, Refused):
        return RefusedInf(name, driver.reason)
    if doubt:
        driver = replace(driver, findings=(*driver.findings, doubt))
    files = tuple((file, source.files[prefix + file.path].path) for file in driver.files)
    return ImportedDriver(driver, files, name)


def _vouched(
    source: DriverSource, prefix: str, catalog: str
) -> tuple[frozenset[bytes] | None, str]:
    """What the package's catalog file vouches for, or a finding why nobody knows."""
    if not catalog:
        return None, ""
    try:
        return source.vouched(prefix + catalog), ""
    except FormatError as error:
        return None, f"The catalog file {catalog} cannot be read ({error})."


def _walk(folder: Path) -> tuple[dict[str, SourceFile], dict[str, str]]:
    """The ordinary files below a folder, and the names that are not opened."""
    files: dict[str, SourceFile] = {}
    refused: dict[str, str] = {}
    spelling: dict[str, str] = {}
    waiting = [("", folder)]
    while waiting:
        prefix, here = waiting.pop()
        for entry in sorted(os.scandir(here), key=lambda entry: entry.name):
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
                f"{folder} holds more than {MAX_FILES} files", hint="Name the folder of one vendor."
            )
    return files, refused


def _source(files: dict[str, SourceFile], refused: dict[str, str], *, label: str) -> DriverSource:
    infs = tuple(sorted(n for n in (*files, *refused) if n.lower().endswith((".inf", ".inx"))))
    if not infs:
        nested = [name for name in files if Path(name).suffix.lower() in _ARCHIVES]
        hint = "drivers come with an .inf file; a program that installs them must be unpacked first"
        if nested:
            hint = f"it holds other archives, which are not opened: import {nested[0]} by itself"
        raise InvalidInput(f"there is no INF in {label}", hint=hint)
    return DriverSource(MappingProxyType(files), infs, MappingProxyType(refused))
