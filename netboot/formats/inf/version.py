"""The [Version] section of an INF (Microsoft: "INF Version Section", "INF DriverVer Directive")."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from re import ASCII
from re import compile as pattern
from types import MappingProxyType

from netboot.errors import FormatError
from netboot.formats.inf.lexer import Sections

_SIGNATURES = frozenset({"$windows nt$", "$chicago$", "$windows 95$"})
_DATE = pattern(r"(\d{1,2})[/-](\d{1,2})[/-](\d{4})", ASCII)
_NUMBERS = pattern(r"\d{1,9}(\.\d{1,9}){0,3}", ASCII)
_GUID = pattern(r"\{?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\}?")


@dataclass(frozen=True, slots=True)
class Version:
    """The driver's provider, class, date and version.

    `date` is ISO or empty; `class_guid` is in lower case without braces, or empty.
    `catalogs` maps a decoration ("", "nt", "ntamd64", ...) to the name of a catalog file.
    """

    provider: str
    class_name: str
    class_guid: str
    date: str
    version: str
    catalogs: MappingProxyType[str, str]
    layout_files: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()

    def catalog(self, architecture: str) -> str:
        """The catalog file that signs the package on an architecture (INF words)."""
        for decoration in (f"nt{architecture}", "nt", ""):
            if name := self.catalogs.get(decoration):
                return name
        return ""


def read_version(sections: Sections, expand: Callable[[str], str]) -> Version:
    """The [Version] section. Raises FormatError if it is missing or not for Windows."""
    if not sections.has("version"):
        raise FormatError("not an INF: it has no [Version] section")
    values: dict[str, tuple[str, ...]] = {}
    for entry in sections.entries("version"):
        words = tuple(expand(value).strip() for value in entry.values)
        values.setdefault(entry.key.lower(), words)
    signature = values.get("signature", ("",))[0]
    if signature.lower() not in _SIGNATURES:
        raise FormatError(f"not an INF: its signature is {signature[:40]!r}, not $Windows NT$")
    guid_text = values.get("classguid", ("",))[0]
    guid = _GUID.fullmatch(guid_text.lower())
    catalogs = {
        key.partition(".")[2]: words[0]
        for key, words in values.items()
        if key.partition(".")[0] == "catalogfile" and words[0]
    }
    iso, numbers, findings = driver_ver(values.get("driverver", ()))
    if guid_text and guid is None:
        findings = (*findings, f"ClassGuid is not a GUID: {guid_text[:60]!r}.")
    return Version(
        provider=values.get("provider", ("",))[0],
        class_name=values.get("class", ("",))[0],
        class_guid=guid[1] if guid else "",
        date=iso,
        version=numbers,
        catalogs=MappingProxyType(catalogs),
        layout_files=tuple(name for name in values.get("layoutfile", ()) if name),
        findings=findings,
    )


def driver_ver(words: tuple[str, ...]) -> tuple[str, str, tuple[str, ...]]:
    """Date (ISO), version and findings of a DriverVer line."""
    if not any(words):
        return "", "", ("DriverVer is missing: the driver has neither date nor version.",)
    findings = []
    day, numbers = words[0], words[1].strip() if len(words) > 1 else ""
    iso = _iso(day)
    if not iso:
        findings.append(f"DriverVer has an invalid date (month first): {day[:40]!r}.")
    if numbers and not _NUMBERS.fullmatch(numbers):
        findings.append(f"DriverVer has an invalid version: {numbers[:40]!r}.")
        numbers = ""
    return iso, numbers, tuple(findings)


def _iso(text: str) -> str:
    # Month first, in every language ("INF DriverVer Directive"). Real INFs have 20/11/2017, too.
    match = _DATE.fullmatch(text.strip())
    if match is None:
        return ""
    try:
        return date(int(match[3]), int(match[1]), int(match[2])).isoformat()
    except ValueError:
        return ""
