"""A driver's INF: which devices it claims on which Windows, and which files it needs.

Microsoft: "INF Manufacturer Section", "INF Models Section", "INF DDInstall Section". Any bytes
give an `Inf` or a FormatError, in linear time. An INF that Windows would refuse is still read;
`refusal` says why.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from netboot.formats.inf.decoration import Span, Target, choose, parse_target
from netboot.formats.inf.files import Install, Installer, Payload
from netboot.formats.inf.lexer import (
    MAX_SECTION_NAME,
    WHITE,
    Sections,
    cut,
    split_entry,
)
from netboot.formats.inf.strings import Strings
from netboot.formats.inf.version import Version, read_version

ARCHITECTURES = ("x86", "amd64", "arm64")
MAX_FINDINGS = 50


class InfModel(NamedTuple):
    """One device line, for one architecture (INF words) and a range of Windows builds.

    Ids are in upper case; `hardware_id` may be empty. `maximum_build` 0 means no end.
    """

    architecture: str
    manufacturer: str
    description: str
    install: Install
    hardware_id: str
    compatible_ids: tuple[str, ...]
    minimum_build: int
    maximum_build: int


@dataclass(frozen=True, slots=True)
class Inf:
    """A whole INF. `payloads` has one entry for each architecture with models.

    `refusal` is why Windows PE cannot use it, or empty: "not built: ..." for a template that the
    vendor's build must still fill in, "not PnP: ..." for an INF that installs no device.
    """

    encoding: str
    version: Version
    models: tuple[InfModel, ...]
    payloads: MappingProxyType[str, Payload]
    languages: tuple[int, ...] = ()
    findings: tuple[str, ...] = ()
    refusal: str = ""


def parse(data: bytes) -> Inf:
    """Read an INF. Raises FormatError if it is not one, or was made to exhaust its reader."""
    sections = cut(data)
    strings = Strings(sections)
    version = read_version(sections, strings.expand)
    refusal = _refusal(sections)
    reader = _ModelsReader(sections, strings)
    if not refusal:
        reader.read()
        refusal = _no_models(reader)
    findings = [*sections.findings, *version.findings, *reader.findings]
    if strings.undefined:
        tokens = list(strings.undefined)
        more = f" and {len(tokens) - 5} more" if len(tokens) > 5 else ""
        findings.append(f"Undefined string tokens: {', '.join(tokens[:5])}{more}.")
    return Inf(
        encoding=sections.encoding,
        version=version,
        models=tuple(reader.models),
        payloads=MappingProxyType(
            {name: installer.payload for name, installer in reader.installers.items()}
        ),
        languages=strings.languages,
        findings=tuple(findings[:MAX_FINDINGS]),
        refusal=refusal,
    )


def _refusal(sections: Sections) -> str:
    """Why models cannot be read, or empty."""
    if not sections.has("manufacturer"):
        for name in sections.lines:
            if name.partition(".")[0] == "defaultinstall":
                return "not PnP: it has a [DefaultInstall] section and no [Manufacturer]"
        return "not PnP: it has no [Manufacturer] section"
    for entry in sections.entries("manufacturer"):
        for decoration in entry.values[1:]:
            if "$" in decoration:
                return f"not built: {decoration[:40]!r} is a placeholder for the build"
    return ""


def _no_models(reader: "_ModelsReader") -> str:
    if reader.models:
        return ""
    if reader.other_architectures:
        names = ", ".join(reader.other_architectures)
        return f"no devices for Windows PE on x86, x64 or ARM64; its models are for {names}"
    return "not PnP: its models sections list no device"


class _ModelsReader:
    """Follows [Manufacturer] to the device lines that Windows PE would use."""

    def __init__(self, sections: Sections, strings: Strings) -> None:
        self.models: list[InfModel] = []
        self.installers: dict[str, Installer] = {}
        self.findings: list[str] = []
        self.other_architectures: dict[str, None] = {}
        self._sections = sections
        self._strings = strings
        self._seen: set[tuple[str, str]] = set()
        self._installs: dict[tuple[str, str], Install] = {}

    def read(self) -> None:
        expand = self._strings.expand
        for entry in self._sections.entries("manufacturer"):
            name = expand(entry.key) or expand(entry.values[0])
            section = expand(entry.values[0]).strip() or name
            words = (expand(value).strip() for value in entry.values[1:])
            if len(section) <= MAX_SECTION_NAME:
                self._manufacturer(name, section, [word for word in words if word])

    def _manufacturer(self, name: str, section: str, decorations: list[str]) -> None:
        targets: list[Target | None] = [Target()]
        for word in decorations:
            target = parse_target(word)
            targets.append(target)
            if target is None:
                self.findings.append(f"Unknown Windows target: {word[:60]!r}.")
            elif not any(target.fits(architecture) for architecture in ARCHITECTURES):
                self.other_architectures.setdefault(word[:60])
        sections = [section, *(f"{section}.{word}" for word in decorations)]
        for architecture in ARCHITECTURES:
            spans = choose(targets, architecture)
            if not decorations and not self._sections.has(section):
                self.findings.append(f"The models section [{section[:60]}] is missing.")
                return
            for span in spans:
                self._span(name, sections[span.position], architecture, span)

    def _span(self, name: str, section: str, architecture: str, span: Span) -> None:
        key = (section.lower(), architecture)
        if key in self._seen or len(section) > MAX_SECTION_NAME:
            return
        self._seen.add(key)
        if span.position and not self._sections.has(section):
            self.findings.append(f"The models section [{section[:60]}] is missing.")
        self.models.extend(self._lines(name, section, architecture, span))

    def _lines(self, name: str, section: str, architecture: str, span: Span) -> Iterator[InfModel]:
        expand = self._strings.expand
        installs: dict[str, Install] = {}
        low, high = span.minimum_build, span.maximum_build
        for line in self._sections.body(section):
            key, first, hardware_id, others = _fields(line)
            if "%" in hardware_id:
                hardware_id = expand(hardware_id)
            compatible: tuple[str, ...] = ()
            if others:
                compatible = tuple([text.upper() for word in others if (text := expand(word))])
            if not key or not (hardware_id or compatible):
                continue
            install = installs.get(first)
            if install is None:
                install = installs[first] = self._install(expand(first), architecture)
            hardware_id = hardware_id.upper()
            yield InfModel(
                architecture, name, expand(key), install, hardware_id, compatible, low, high
            )

    def _install(self, name: str, architecture: str) -> Install:
        name = name.lower()
        install = self._installs.get((architecture, name))
        if install is None:
            installer = self.installers.get(architecture)
            if installer is None:
                installer = Installer(self._sections, self._strings, architecture)
                self.installers[architecture] = installer
            install = installer.install(name[:MAX_SECTION_NAME])
            self._installs[architecture, name] = install
        return install


def _fields(line: str) -> tuple[str, str, str, tuple[str, ...]]:
    """Description, install section, hardware id and compatible ids of one device line."""
    # Most lines have no quotes and one id. Some INFs have thousands of them, hence this short cut.
    if '"' not in line:
        key, equals, value = line.partition("=")
        first, comma, hardware_id = value.partition(",")
        if equals and comma and "," not in hardware_id:
            return key.strip(WHITE), first.strip(WHITE), hardware_id.strip(WHITE), ()
    key, values = split_entry(line)
    first, hardware_id, *others = values if len(values) > 1 else (*values, "")
    return key, first, hardware_id, tuple(others)
