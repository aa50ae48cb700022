"""Declarations as files for git: drivers.toml, assignments.toml, and images/<slug>.toml.

A small change of the site changes few lines. Files that people write may omit optional values.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.items import Table

from netboot.errors import InvalidInput, NotPermitted
from netboot.images.boot_image.boot_image import slug
from netboot.images.boot_image.properties import Properties
from netboot.images.declared import Assignment, Declaration, DeclaredImage
from netboot.store.content.disk_faults import disk_fault, user_name
from netboot.store.content.named_files import read_file

DRIVERS, ASSIGNMENTS, IMAGES = "drivers.toml", "assignments.toml", "images"
_EXPECTED = f"{DRIVERS}, {ASSIGNMENTS} or {IMAGES}/NAME.toml"
_IMAGE_FILE = re.compile(rf"{IMAGES}/[A-Za-z0-9][A-Za-z0-9._-]{{0,120}}\.toml")
LARGEST = 64 << 20
HEADER = "Written by `netboot export`; read by `netboot plan` and `netboot apply`."


@dataclass(frozen=True, slots=True)
class DriverRef:
    """A reference to a driver: by digest, or by name and optionally version."""

    digest: str = ""
    name: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class DriverEntry:
    """A driver in drivers.toml; None is not declared."""

    ref: DriverRef
    enabled: bool | None
    categories: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class ImageEntry:
    """The file of an image. `source_file` is a WIM to import if the site lacks the source."""

    path: Path
    name: str
    architecture: str
    source_digest: str
    source_index: int
    source_file: Path | None
    drivers: tuple[DriverRef, ...]
    properties: Properties
    comment: str


@dataclass(frozen=True, slots=True)
class DeclaredFiles:
    """The content of all files; None for a missing file."""

    drivers: tuple[DriverEntry, ...] | None
    images: tuple[ImageEntry, ...] | None
    defaults: Mapping[str, str] | None
    machines: Mapping[str, Assignment] | None


def texts_of(declared: Declaration) -> dict[str, str]:
    """The declaration as files: texts by path below the folder."""
    return {
        DRIVERS: _drivers_text(declared),
        ASSIGNMENTS: _assignments_text(declared),
        **{
            f"{IMAGES}/{slug(image.name)}.toml": _image_text(image)
            for image in (declared.images or {}).values()
        },
    }


def write_files(folder: Path, declared: Declaration) -> tuple[Path, ...]:
    """Write the declaration and delete files of images that no longer exist; returns the paths.

    Raises NotPermitted, or DiskFault for a full disk.
    """
    texts = {folder / name: text for name, text in texts_of(declared).items()}
    try:
        (folder / IMAGES).mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            if not path.is_file() or path.read_text() != text:
                part = path.with_name(f"{path.name}.part")
                try:
                    part.write_text(text)
                    part.replace(path)
                finally:
                    part.unlink(missing_ok=True)
        # Last: a disk that is full by now has cost no file.
        for path in (folder / IMAGES).glob("*.toml"):
            if path not in texts:
                path.unlink()
    except OSError as fault:
        if explained := disk_fault(fault, folder):
            raise explained from fault
        raise NotPermitted(
            f"{folder} cannot be written: {fault.strerror}",
            hint=f"Choose a folder that the user {user_name()} may write.",
        ) from fault
    return tuple(texts)


def read_files(folder: Path) -> DeclaredFiles:
    """Read the folder. Raises InvalidInput."""
    if not folder.is_dir():
        raise InvalidInput(
            f"there is no folder {folder}", hint="Create one with: netboot export FOLDER"
        )
    images = (folder / IMAGES).is_dir()
    found = sorted((folder / IMAGES).glob("*.toml")) if images else []
    tables = {path: _read(path) for path in (folder / DRIVERS, folder / ASSIGNMENTS, *found)}
    return _declared(
        folder, {path: table for path, table in tables.items() if table is not None}, images=images
    )


def read_texts(texts: Mapping[str, str]) -> DeclaredFiles:
    """Read the texts of files, by path as in a folder. Raises InvalidInput."""
    tables = {}
    for name, text in sorted(texts.items()):
        if name not in {DRIVERS, ASSIGNMENTS} and not _IMAGE_FILE.fullmatch(name):
            raise InvalidInput(
                f"{name[:80]!r} is not part of a declaration", hint=f"{_EXPECTED} are allowed."
            )
        tables[Path(name)] = _parsed(Path(name), text)
    declared = _declared(Path(), tables, images=any(name.startswith(IMAGES) for name in texts))
    # The texts are from a client, which must not choose files of this machine as sources.
    for entry in declared.images or ():
        if entry.source_file:
            raise InvalidInput(
                f"{entry.path} uses a file as its source, which only the command line supports",
                hint="Import the image first, then apply without `file`.",
            )
    return declared


def _declared(
    folder: Path, tables: Mapping[Path, dict[str, Any]], *, images: bool
) -> DeclaredFiles:
    drivers, assignments = tables.get(folder / DRIVERS), tables.get(folder / ASSIGNMENTS)
    if drivers is None and assignments is None and not images:
        where = "this" if folder == Path() else str(folder)
        raise InvalidInput(
            f"{where} declares nothing", hint=f"{_EXPECTED} are expected; see netboot export."
        )
    found = [path for path in tables if path.parent == folder / IMAGES]
    return DeclaredFiles(
        None if drivers is None else _driver_entries(folder / DRIVERS, drivers),
        tuple(_image_entry(path, tables[path]) for path in found) if images else None,
        None if assignments is None else _texts(folder / ASSIGNMENTS, assignments, "defaults"),
        None if assignments is None else _machines(folder / ASSIGNMENTS, assignments),
    )


def _document() -> tomlkit.TOMLDocument:
    document = tomlkit.document()
    document.add(tomlkit.comment(HEADER))
    document.add(tomlkit.nl())
    return document


def _drivers_text(declared: Declaration) -> str:
    document = _document()
    entries = tomlkit.aot()
    for driver in sorted(
        (declared.drivers or {}).values(), key=lambda one: (one.label, one.digest)
    ):
        entry = _driver_table(driver.digest, driver.name, driver.version)
        entry.add("enabled", driver.enabled)
        entry.add("categories", sorted(driver.categories or ()))
        entries.append(entry)
    if len(entries):
        document.add("driver", entries)
    return tomlkit.dumps(document)


def _driver_table(digest: str, name: str, version: str) -> Table:
    entry = tomlkit.table()
    entry.add("name", name)
    entry.add("version", version)
    entry.add("digest", digest)
    return entry


def _assignments_text(declared: Declaration) -> str:
    document = _document()
    defaults = tomlkit.table()
    for architecture, image in sorted((declared.defaults or {}).items()):
        defaults.add(architecture, image)
    document.add("defaults", defaults)
    machines = tomlkit.table()
    for mac, made in sorted((declared.machines or {}).items()):
        line = tomlkit.inline_table()
        line.add("image", made.image)
        if made.comment:
            line.add("comment", made.comment)
        machines.add(mac, line)
    document.add("machines", machines)
    return tomlkit.dumps(document)


def _image_text(image: DeclaredImage) -> str:
    document = _document()
    document.add("name", image.name)
    document.add("architecture", image.architecture)
    document.add("comment", image.comment)
    source = tomlkit.table()
    source.add("digest", image.source_digest)
    source.add("index", image.source_index)
    document.add("source", source)
    properties = tomlkit.table()
    for name, value in sorted(image.properties.to_json().items()):
        properties.add(name, value)
    document.add("properties", properties)
    entries = tomlkit.aot()
    for digest in image.drivers:
        name, _, version = image.labels.get(digest, "").partition(" ")
        entries.append(_driver_table(digest, name, version))
    if len(entries):
        document.add("driver", entries)
    return tomlkit.dumps(document)


def _read(path: Path) -> dict[str, Any] | None:
    if not os.path.lexists(path):
        return None
    try:
        text = read_file(path, LARGEST, hint=f"Correct {path}.").decode()
    except UnicodeDecodeError as fault:
        raise InvalidInput(f"{path} cannot be read: {fault}", hint=f"Correct {path}.") from fault
    return _parsed(path, text)


def _parsed(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as fault:  # TOMLDecodeError is a ValueError
        raise InvalidInput(f"{path} cannot be read: {fault}", hint=f"Correct {path}.") from fault


def _driver_entries(path: Path, data: dict[str, Any]) -> tuple[DriverEntry, ...]:
    _only(path, data, {"driver"})
    entries = []
    for entry in _list(path, data, "driver"):
        _only(path, entry, {"name", "version", "digest", "enabled", "categories"})
        categories = entry.get("categories")
        enabled = entry.get("enabled")
        if enabled is not None and not isinstance(enabled, bool):
            raise InvalidInput(f"{path}: enabled must be true or false, not {enabled!r}")
        if categories is not None and not isinstance(categories, list):
            raise InvalidInput(f"{path}: categories must be a list, not {categories!r}")
        kept = None if categories is None else tuple(str(one) for one in categories)
        entries.append(DriverEntry(_ref(path, entry), enabled, kept))
    return tuple(entries)


def _image_entry(path: Path, data: dict[str, Any]) -> ImageEntry:
    known = {"name", "architecture", "comment", "source", "properties", "driver"}
    _only(path, data, known)
    source = _table(path, data, "source")
    _only(path, source, {"digest", "index", "file"})
    file = source.get("file")
    index = source.get("index", 1)
    if not isinstance(index, int) or isinstance(index, bool):
        raise InvalidInput(f"{path}: the source's index must be a number, not {index!r}")
    try:
        properties = Properties.from_json(_table(path, data, "properties"))
    except (InvalidInput, TypeError) as fault:
        raise InvalidInput(f"{path}: {fault}", hint=f"Correct [properties] in {path}.") from fault
    return ImageEntry(
        path=path,
        name=_text(path, data, "name"),
        architecture=_text(path, data, "architecture"),
        source_digest=str(source.get("digest", "")),
        source_index=index,
        source_file=(path.parent / str(file)) if file else None,
        drivers=tuple(_ref(path, entry) for entry in _list(path, data, "driver")),
        properties=properties,
        comment=str(data.get("comment", "")),
    )


def _machines(path: Path, data: dict[str, Any]) -> dict[str, Assignment]:
    _only(path, data, {"defaults", "machines"})
    machines = {}
    for mac, made in _table(path, data, "machines").items():
        entry = {"image": made} if isinstance(made, str) else made
        if not isinstance(entry, dict):
            raise InvalidInput(f"{path}: {mac} must have the name of a boot image")
        _only(path, entry, {"image", "comment"})
        machines[mac] = Assignment(_text(path, entry, "image"), str(entry.get("comment", "")))
    return machines


def _ref(path: Path, entry: dict[str, Any]) -> DriverRef:
    ref = DriverRef(*(str(entry.get(name, "")) for name in ("digest", "name", "version")))
    if not ref.digest and not ref.name:
        raise InvalidInput(f"{path}: a driver must be given by its digest or its name")
    return ref


def _texts(path: Path, data: dict[str, Any], name: str) -> dict[str, str]:
    table = _table(path, data, name)
    return {key: _text(path, table, key) for key in table}


def _text(path: Path, data: dict[str, Any], name: str) -> str:
    value = data.get(name)
    if not isinstance(value, str) or not value.strip():
        raise InvalidInput(f"{path}: {name} is missing or not text")
    return value


def _table(path: Path, data: dict[str, Any], name: str) -> dict[str, Any]:
    value = data.get(name, {})
    if not isinstance(value, dict):
        raise InvalidInput(f"{path}: [{name}] must be a table")
    return value


def _list(path: Path, data: dict[str, Any], name: str) -> list[dict[str, Any]]:
    value = data.get(name, [])
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise InvalidInput(f"{path}: [[{name}]] must be tables")
    return value


def _only(path: Path, data: dict[str, Any], known: set[str]) -> None:
    unknown = sorted(set(data) - known)
    if unknown:
        raise InvalidInput(
            f"{path}: {unknown[0]!r} is unknown", hint=f"Known: {', '.join(sorted(known))}."
        )
