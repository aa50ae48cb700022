"""Which files an INF copies on an architecture, and in which folder of the package they are.

CopyFiles lists them, SourceDisksFiles gives the "disk" of each, SourceDisksNames the folder of a
disk (Microsoft: "INF CopyFiles Directive", "INF SourceDisksNames Section"). Each section is
visited once per architecture, so no INF is slow to read.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from netboot.formats.inf.lexer import MAX_SECTION_NAME, Entry, Sections
from netboot.formats.inf.strings import Strings


class SourceFile(NamedTuple):
    """A file as the INF names it: `folder` is relative to the INF's own, with backslashes.

    `cabinet` is a .cab that may contain it. `listed` is whether SourceDisksFiles lists it.
    """

    name: str
    folder: str = ""
    cabinet: str = ""
    listed: bool = True


class Service(NamedTuple):
    """One AddService line; `binary` is the bare name of the file that it starts."""

    name: str
    is_function_driver: bool
    binary: str = ""


class Install(NamedTuple):
    """An install section of the INF.

    `section` is its name with the chosen decoration; `decorated` is whether there is one, which
    matters for the rank of unsigned drivers. `function_driver` is the service that drives the
    device, empty if another INF installs it.
    """

    section: str
    decorated: bool
    services: tuple[Service, ...] = ()
    feature_score: int = 0xFF
    function_driver: str = ""


@dataclass(slots=True)
class Payload:
    """What the install sections of one architecture need: ordered sets of names."""

    files: dict[SourceFile, None] = field(default_factory=dict)
    other_infs: dict[str, None] = field(default_factory=dict)
    copied_infs: dict[str, None] = field(default_factory=dict)
    co_installers: bool = False


_ASSOCIATED_SERVICE = 0x2
"""SPSVCINST_ASSOCSERVICE: this service is the function driver ("INF AddService Directive")."""

_PARTS = (".coinstallers", ".interfaces", ".services")


class Installer:
    """Reads the install sections of one INF for one architecture."""

    def __init__(self, sections: Sections, strings: Strings, architecture: str) -> None:
        self.payload = Payload()
        self._sections = sections
        self._strings = strings
        self._architecture = architecture
        self._seen: set[str] = set()
        self._disks = self._table("SourceDisksNames")
        self._sources = self._table("SourceDisksFiles")

    def install(self, name: str) -> Install:
        """Read the install section `name`; its files are added to `payload`."""
        section = self._decorate(name)
        score = 0xFF
        for entry in self._sections.entries(section):
            if entry.key.lower() == "featurescore":
                score = number(self._strings.expand(entry.values[0])) & 0xFF
        self._walk(f"{section}{part}" for part in ("", *_PARTS))
        if self._sections.has(f"{section}.coinstallers"):
            self.payload.co_installers = True
        services = self._services(f"{section}.services")
        driving = (service.name for service in services if service.is_function_driver)
        return Install(section, section != name, services, score, next(driving, ""))

    def _decorate(self, name: str) -> str:
        # The architecture before .NT before the bare name: "INF DDInstall Section".
        for candidate in (f"{name}.nt{self._architecture}", f"{name}.nt", name):
            if self._sections.has(candidate):
                return candidate
        return name

    def _walk(self, names: Iterable[str]) -> None:
        """Follow CopyFiles, Needs and AddInterface from these sections, each section once."""
        waiting = list(names)
        while waiting:
            section = waiting.pop().lower()
            if section in self._seen or len(section) > MAX_SECTION_NAME:
                continue
            self._seen.add(section)
            for entry in self._sections.entries(section):
                waiting.extend(self._follow(entry))

    def _follow(self, entry: Entry) -> list[str]:
        """Apply one directive; returns the sections that it refers to."""
        match entry.key.lower():
            case "copyfiles":
                for value in self._expand(entry.values):
                    self._copy(value)
            case "copyinf":
                self.payload.copied_infs.update(dict.fromkeys(self._expand(entry.values)))
            case "include":
                names = (name.lower() for name in self._expand(entry.values))
                self.payload.other_infs.update(dict.fromkeys(names))
            case "needs":
                return [name for name in self._expand(entry.values) if self._sections.has(name)]
            case "addinterface":
                return self._expand(entry.values[2:3])
        return []

    def _expand(self, values: Iterable[str]) -> list[str]:
        return [word for word in map(self._strings.expand, values) if word]

    def _copy(self, value: str) -> None:
        """A value of CopyFiles: `@name` is a file, everything else a section that lists files."""
        if value.startswith("@"):
            self._add(value[1:])
            return
        section = value.lower()
        if f"copyfiles {section}" in self._seen:
            return
        self._seen.add(f"copyfiles {section}")
        for entry in self._sections.entries(section):
            target, source = (*entry.values, "")[:2]  # the source is given only if it differs
            self._add(self._strings.expand(source or target))

    def _add(self, name: str) -> None:
        if name:
            self.payload.files.setdefault(self._locate(name))

    def _locate(self, name: str) -> SourceFile:
        source = self._sources.get(name.lower())
        if source is None:
            return SourceFile(name, listed=False)
        disk_id, folder = (*source, "", "")[:2]
        disk = (*self._disks.get(disk_id.lower(), ()), "", "", "", "")
        cabinet = disk[1] if disk[1].lower().endswith(".cab") else ""
        return SourceFile(name, "\\".join(part for part in (disk[3], folder) if part), cabinet)

    def _table(self, name: str) -> dict[str, tuple[str, ...]]:
        """A SourceDisks section; lines of the architecture take precedence over general ones."""
        table: dict[str, tuple[str, ...]] = {}
        for section in (f"{name}.{self._architecture}", name):
            for key, values in self._sections.entries(section):
                expanded = tuple(self._strings.expand(value) for value in values)
                table.setdefault(self._strings.expand(key).lower(), expanded)
        return table

    def _services(self, section: str) -> tuple[Service, ...]:
        found = []
        for entry in self._sections.entries(section):
            if entry.key.lower() != "addservice":
                continue
            name, flags, install = (*map(self._strings.expand, entry.values), "", "")[:3]
            if name:
                associated = bool(number(flags) & _ASSOCIATED_SERVICE)
                found.append(Service(name, associated, self._binary(install)))
        return tuple(found)

    def _binary(self, section: str) -> str:
        for entry in self._sections.entries(section):
            if entry.key.lower() == "servicebinary":
                path = self._strings.expand(entry.values[0])
                return path.replace("/", "\\").rpartition("\\")[2]
        return ""


def number(text: str) -> int:
    """A decimal or 0x number; 0 for anything else."""
    text = text.strip().lower()
    digits, base = (text[2:], 16) if text.startswith("0x") else (text, 10)
    # int() also takes signs, blanks, underscores and the digits of other scripts.
    if not digits.isascii() or not digits.isalnum() or len(digits) > 10:
        return 0
    try:
        return int(digits, base)
    except ValueError:
        return 0
