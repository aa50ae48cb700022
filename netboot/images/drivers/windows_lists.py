"""Lists of devices as Windows prints them: `pnputil /enum-devices`, and CSV of PowerShell or wmic.

They say of each device what class it has, which its ids alone do not. The labels of pnputil are in
the language of Windows, so its class is read from the GUID. Everything else stays a line.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass

from netboot.images.drivers.driver import KIND_BY_CLASS, DriverKind

_ID = re.compile(r"[A-Z0-9_{][A-Z0-9_.{}-]*\\+[^\s\\,;\"']+(?:\\+[^\s,;\"']+)?", re.IGNORECASE)
_GUID = re.compile(r"\{[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\}", re.IGNORECASE)
_LABELLED = re.compile(r"([^\s:\\][^:\\]*):(?:\s+(.*))?$")
_INSTANCE = frozenset({"instanceid", "pnpdeviceid", "deviceid", "hardwareid"})
_CLASS = frozenset({"class", "pnpclass", "classname"})
_CLASS_GUID = frozenset({"classguid"})
_NAME = frozenset({"friendlyname", "name", "caption", "description"})
_KIND_BY_NAME = {
    "net": DriverKind.NETWORK,
    "scsiadapter": DriverKind.STORAGE,
    "hdc": DriverKind.STORAGE,
    "system": DriverKind.SYSTEM,
}


@dataclass(frozen=True, slots=True)
class Listed:
    """A device in such a list: its ids in the list's order, and its kind if the list says it."""

    ids: tuple[str, ...]
    kind: DriverKind | None
    name: str = ""


def read_lists(text: str) -> Iterator[Listed | str]:
    """The devices of such lists in the text, and all other lines as they are."""
    columns: dict[str, int] = {}
    for paragraph in _paragraphs(text):
        if described := _described(paragraph):
            yield described
            continue
        for line in paragraph:
            if header := _header(line):
                columns = header
            elif columns and (row := _row(line, columns)):
                yield row
            else:
                yield line


def _paragraphs(text: str) -> Iterator[list[str]]:
    lines: list[str] = []
    for line in (*text.splitlines(), ""):
        if line.strip():
            lines.append(line)
        elif lines:
            yield lines
            lines = []


def _described(lines: list[str]) -> Listed | None:
    """The one device of a paragraph of labels and values, as pnputil and Format-List print it."""
    ids: list[str] = []
    values: list[str] = []
    kind = None
    for line in lines:
        # More hardware ids stand below the first, indented.
        label, value = "", line.strip()
        if not line[:1].isspace():
            labelled = _LABELLED.match(line)
            if labelled is None:
                return None
            label, value = labelled[1].strip().lower(), (labelled[2] or "").strip()
            values.append(value)
        if _GUID.fullmatch(value):
            kind = KIND_BY_CLASS.get(value.strip("{}").lower(), DriverKind.OTHER)
        elif label in _CLASS and value and kind is None:
            kind = _KIND_BY_NAME.get(value.lower(), DriverKind.OTHER)
        elif _ID.fullmatch(value) or value.startswith("{"):
            ids += _ID.findall(value)
    if not ids:
        return None
    # The description comes after the id in pnputil, and without a backslash.
    name = next((text for text in values[1:2] if "\\" not in text), "")
    return Listed(tuple(dict.fromkeys(ids)), kind, name[:120])


def _header(line: str) -> dict[str, int]:
    """The columns of a CSV header that says where the id and the class are, or nothing."""
    if "," not in line or "\\" in line:
        return {}
    words = [word.replace(" ", "").lower() for word in _cells(line)]
    columns = {word: at for at, word in reversed(list(enumerate(words)))}
    has_class = not columns.keys().isdisjoint(_CLASS | _CLASS_GUID)
    return columns if has_class and not columns.keys().isdisjoint(_INSTANCE) else {}


def _row(line: str, columns: dict[str, int]) -> Listed | None:
    cells = _cells(line)

    def of(names: frozenset[str]) -> Iterator[str]:
        places = sorted(columns[name] for name in names & columns.keys())
        return (cells[at].strip() for at in places if at < len(cells))

    ids = tuple(dict.fromkeys(one for cell in of(_INSTANCE) for one in _ID.findall(cell)))
    if not ids:
        return None
    kind = None
    for guid in of(_CLASS_GUID):
        if guid:
            kind = KIND_BY_CLASS.get(guid.strip("{}").lower(), DriverKind.OTHER)
    for word in of(_CLASS):
        if word and kind is None:
            kind = _KIND_BY_NAME.get(word.lower(), DriverKind.OTHER)
    return Listed(ids, kind, next((name[:120] for name in of(_NAME) if name), ""))


def _cells(line: str) -> list[str]:
    try:
        return next(csv.reader([line.lstrip("\ufeff")]), [])
    except csv.Error:
        return []
