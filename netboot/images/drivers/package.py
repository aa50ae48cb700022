"""Makes a driver package from an INF and the files that it names.

`plan` finds the files, the caller reads them, and `make_driver` checks the result. Files outside
the INF's folder are ignored. Doubts become findings; an INF that Windows PE cannot use is refused.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain
from types import MappingProxyType

from netboot.formats.inf.files import SourceFile
from netboot.formats.inf.inf import Inf, InfModel
from netboot.images.architecture import Architecture
from netboot.images.drivers.driver import (
    COMPONENT_CLASS,
    EXTENSION_CLASS,
    HDC_CLASS,
    NETWORK_CLASS,
    SCSI_CLASS,
    SYSTEM_CLASS,
    Driver,
    DriverFile,
    Model,
)

ARCHITECTURE_OF = MappingProxyType(
    {"x86": Architecture.X86, "amd64": Architecture.X64, "arm64": Architecture.ARM64}
)
INF_WORD = MappingProxyType({value: word for word, value in ARCHITECTURE_OF.items()})
CLASS_OF_NAME = MappingProxyType(
    {
        "net": NETWORK_CLASS,
        "scsiadapter": SCSI_CLASS,
        "hdc": HDC_CLASS,
        "system": SYSTEM_CLASS,
        "extension": EXTENSION_CLASS,
        "softwarecomponent": COMPONENT_CLASS,
    }
)

Find = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class AvailableFile:
    """A file that exists. `path` is relative to the INF's folder.

    `machine` is the processor of a program in INF words, empty for other files; `signed` is
    whether it has its own signature. `names` are its digests as a catalog file may list them.
    """

    path: str
    digest: str
    size: int
    machine: str = ""
    signed: bool = False
    names: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class Refused:
    """The reason why an INF is not a driver."""

    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The files of a package that exist, with their architectures (INF words; empty: all).

    `missing` are the names of missing files by architecture. `catalog` is the catalog file,
    `catalog_named` what the INF calls it, there or not.
    """

    files: MappingProxyType[str, frozenset[str]]
    missing: MappingProxyType[str, tuple[str, ...]]
    catalog: str
    catalog_named: str
    findings: tuple[str, ...]


def safe_path(folder: str, name: str) -> str | None:
    """The path of a file below the INF's folder, or None if it is outside."""
    # A leading backslash is the root of the "disk" of the INF, which is its own folder.
    words = f"{folder}/{name}".replace("\\", "/").split("/")
    parts = [part for part in words if part not in {"", "."}]
    bad = any(part == ".." or ":" in part or any(c < " " for c in part) for part in parts)
    return None if bad or not parts else "/".join(parts)


def plan(inf: Inf, inf_name: str, find: Find) -> Plan:
    """Which files belong to the package.

    `find` returns the actual spelling of a path below the INF's folder, or None if there is no
    such file in any case.
    """
    planner = _Planner(find, inf_name)
    for architecture, payload in inf.payloads.items():
        planner.architecture = architecture
        for source in payload.files:
            planner.want(source)
        for name in payload.copied_infs:
            planner.want_other_inf(name)
    catalog = planner.want_catalogs(inf)
    return Plan(
        files=MappingProxyType(
            {path: frozenset(words) for path, words in sorted(planner.files.items())}
        ),
        missing=MappingProxyType(
            {word: tuple(names) for word, names in planner.missing.items() if names}
        ),
        catalog=catalog,
        catalog_named=next((name for name in map(inf.version.catalog, inf.payloads) if name), ""),
        findings=tuple(planner.findings),
    )


class _Planner:
    """Collects the parts of a Plan."""

    def __init__(self, find: Find, inf_name: str) -> None:
        self.architecture = ""
        self.files: dict[str, set[str]] = {inf_name: set()}
        self.missing: dict[str, dict[str, None]] = {}
        self.findings: dict[str, None] = {}
        self._find = find

    def want(self, source: SourceFile) -> None:
        """Add a file that the INF copies."""
        path = safe_path(source.folder, source.name)
        if path is None:
            shown = f"{source.folder}\\{source.name}".strip("\\")[:100]
            self.findings.setdefault(f"{shown} is outside the driver package and was ignored.")
            self._miss(source.name)
            return
        plain = path.rpartition("/")[2]
        # Windows looks in the given folder, then in the root of the package, and accepts a file
        # compressed by makecab, whose name ends in an underscore (netkvm.sy_).
        for candidate in (path, plain, f"{path[:-1]}_"):
            if found := self._find(candidate):
                self.files.setdefault(found, set()).add(self.architecture)
                return
        cabinet = safe_path("", source.cabinet) if source.cabinet else None
        if cabinet and (found := self._find(cabinet)):
            self.files.setdefault(found, set()).add(self.architecture)
            self.findings.setdefault(
                f"{source.name} should be inside {found}, which could not be opened."
            )
            return
        self._miss(path)

    def _miss(self, path: str) -> None:
        self.missing.setdefault(self.architecture, {}).setdefault(path)

    def want_other_inf(self, name: str) -> None:
        """Add an INF that this one installs too (CopyINF)."""
        path = safe_path("", name)
        found = self._find(path) if path else None
        if found:
            self.files.setdefault(found, set()).add(self.architecture)
        else:
            self.findings.setdefault(f"{name[:100]}, which the INF includes, is missing.")

    def want_catalogs(self, inf: Inf) -> str:
        """Add the catalog files; returns the first that exists."""
        names = dict.fromkeys(inf.version.catalog(word) for word in inf.payloads)
        first = ""
        for name in names:
            path = safe_path("", name) if name else None
            found = self._find(path) if path else None
            if not name:
                self.findings.setdefault(
                    "The INF lists no catalog file. Windows treats the driver as unsigned."
                )
            elif found is None:
                self.findings.setdefault(
                    f"The catalog file {name[:100]} is missing. Windows treats it as unsigned."
                )
            else:
                self.files.setdefault(found, set())
                first = first or found
        return first


def make_driver(
    inf: Inf,
    inf_name: str,
    planned: Plan,
    available: Mapping[str, AvailableFile],
    listed: frozenset[bytes] | None = None,
) -> Driver | Refused:
    """The driver for the catalog. `available` has an entry for each file of the plan.

    `listed` are the digests in the catalog file of the package, None if it was not read.
    """
    if inf.refusal:
        return Refused(inf.refusal)
    complete = [word for word in inf.payloads if word not in planned.missing]
    files = _files(planned, available, used := complete or list(inf.payloads))
    unlisted = [
        f"{path} does not match the catalog file {planned.catalog}."
        for path in planned.files
        if listed is not None
        and path.lower().endswith((".inf", ".sys"))
        and not available[path].names & listed
    ]
    programs = [available[file.path] for file in files if file.path.lower().endswith(".sys")]
    return Driver(
        digest=package_digest(files),
        name=inf_name.rpartition("/")[2].rpartition(".")[0].lower(),
        inf_name=inf_name.rpartition("/")[2],
        provider=inf.version.provider,
        class_name=inf.version.class_name,
        class_guid=_class(inf)[0],
        version=inf.version.version,
        date=inf.version.date,
        architectures=frozenset(ARCHITECTURE_OF[word] for word in used),
        models=_models(inf, used),
        files=files,
        catalog_file=planned.catalog,
        findings=(
            *_missing_findings(planned, complete),
            *_machine_findings(planned, used, available),
            *unlisted,
            *planned.findings,
            *_inf_findings(inf, used),
        ),
        missing=() if complete else tuple(dict.fromkeys(chain(*planned.missing.values()))),
        self_signed=bool(programs) and all(program.signed for program in programs),
        catalog_named=planned.catalog_named[:255],
        catalog_checked=listed is not None and not unlisted,
    )


def package_digest(files: Iterable[DriverFile]) -> str:
    """The digest of a package: equal for the same files with the same names, ignoring case."""
    lines = sorted(f"{file.path.casefold()}\0{file.digest}\n" for file in files)
    return f"sha256:{sha256(''.join(lines).encode()).hexdigest()}"


def _files(
    planned: Plan, available: Mapping[str, AvailableFile], used: list[str]
) -> tuple[DriverFile, ...]:
    """The planned files for the architectures of the driver."""
    return tuple(
        DriverFile(
            path,
            available[path].digest,
            available[path].size,
            frozenset(ARCHITECTURE_OF[word] for word in words if word in used),
        )
        for path, words in planned.files.items()
        if not words or words & set(used)
    )


def _models(inf: Inf, used: list[str]) -> tuple[Model, ...]:
    """The lines of the INF; those that differ only in the hardware id become one model."""
    groups: dict[tuple[object, ...], tuple[InfModel, list[str]]] = {}
    for model in inf.models:
        architecture, maker, description, install, hardware_id, *rest = model
        if architecture not in used:
            continue
        key = (architecture, maker, description, install.section, *rest)
        group = groups.get(key)
        if group is None:
            group = groups[key] = (model, [])
        if hardware_id:
            group[1].append(hardware_id)
    return tuple(
        Model(
            architecture=ARCHITECTURE_OF[model.architecture],
            description=model.description,
            hardware_ids=tuple(dict.fromkeys(ids)),
            compatible_ids=model.compatible_ids,
            service=model.install.function_driver,
            minimum_build=model.minimum_build,
            maximum_build=model.maximum_build,
            feature_score=model.install.feature_score,
            decorated=model.install.decorated,
        )
        for model, ids in groups.values()
    )


def _class(inf: Inf) -> tuple[str, list[str]]:
    """The class GUID, and a finding if it is from the name of the class."""
    version = inf.version
    if version.class_guid:
        return version.class_guid, []
    known = CLASS_OF_NAME.get(version.class_name.lower(), "")
    how = f"taken from the class name {version.class_name}" if known else "and no known class name"
    return known, [f"The INF has no ClassGuid, {how}."]


def _missing_findings(planned: Plan, complete: list[str]) -> list[str]:
    findings = []
    for word, names in planned.missing.items():
        shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        label = ARCHITECTURE_OF[word]
        if complete:
            findings.append(f"Left out for {label} because files are missing: {shown}.")
        else:
            findings.append(f"Missing files that the INF copies for {label}: {shown}.")
    return findings


def _machine_findings(
    planned: Plan, used: list[str], available: Mapping[str, AvailableFile]
) -> list[str]:
    # A .sys for another processor is the usual mistake in driver folders that people assemble.
    findings = []
    for path, words in planned.files.items():
        if not path.lower().endswith(".sys"):
            continue
        machine = available[path].machine
        for word in used:
            if word in words and machine != word:
                code = f"{ARCHITECTURE_OF.get(machine, machine)} code" if machine else "no program"
                findings.append(
                    f"{path} is {code}, but the INF uses it for {ARCHITECTURE_OF[word]}."
                )
    return findings


def _inf_findings(inf: Inf, used: list[str]) -> list[str]:
    """Doubts about the INF itself."""
    findings = _class(inf)[1]
    payloads = [inf.payloads[word] for word in used]
    others = dict.fromkeys(name[:80] for payload in payloads for name in payload.other_infs)
    if others:
        names = ", ".join(others)
        findings.append(f"It needs {names} from Windows, which the boot image must contain.")
    if any(payload.co_installers for payload in payloads):
        findings.append("It uses co-installers, which Windows PE does not run.")
    if inf.version.layout_files:
        findings.append(
            "It is made to be included in Windows (LayoutFile), not installed as a package."
        )
    if not others and _starts_nothing(inf, used):
        findings.append("It installs no service. Windows must already include the driver binary.")
    return [*findings, *inf.findings]


def _starts_nothing(inf: Inf, used: list[str]) -> bool:
    # A network or storage driver without a service can only give a device to an inbox driver.
    if _class(inf)[0] not in {NETWORK_CLASS, SCSI_CLASS, HDC_CLASS}:
        return False
    return not any(
        model.install.function_driver for model in inf.models if model.architecture in used
    )
