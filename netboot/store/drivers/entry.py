"""A driver split for the catalog: summary, search text, and the rest as JSON.

It needs no database, so the processes that read packages do it. Models are separate: they are nine
tenths of a driver, and only matching needs them.
"""

import re
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any

from pydantic_core import from_json, to_json

from netboot.images.architecture import Architecture
from netboot.images.drivers.driver import Driver, DriverFile, DriverKind, Model, Signature, Span
from netboot.images.drivers.matching import family

ID_LENGTH = 255

# The parts of an id by which people search for a chip. Those of boards are not in the search text:
# there are as many as ids, and the index of ids has them.
_CHIP_WORDS = re.compile(r"(?:VEN|DEV|VID|PID)_[0-9A-F]{4}(?![0-9A-F])")

_TEXTS = (
    *("digest", "name", "inf_name", "provider", "class_name", "class_guid"),
    *("version", "date", "catalog_file"),
)
_PLAIN = (*_TEXTS, "findings", "missing", "self_signed", "catalog_checked", "catalog_named")
_values = attrgetter(*(field.name for field in fields(Model)))


@dataclass(frozen=True, slots=True)
class DriverSummary:
    """A driver as in lists, without files and models. `ids` is the number of ids it claims."""

    digest: str
    name: str
    inf_name: str
    provider: str
    kind: DriverKind
    class_name: str
    version: str
    date: str
    architectures: frozenset[Architecture]
    signature: Signature
    size: int
    ids: int
    enabled: bool = False
    categories: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Traits:
    """Extracts of a driver's models for catalog-wide queries, as lines.

    `services` are `architecture service`, casefolded. `spans` are `architecture minimum_build
    maximum_build` if the driver claims all its ids for the same builds, as hardware ids; otherwise
    empty, and only the models tell. `boards` are the parts of ids that are not in the search text.
    """

    services: str
    spans: str
    boards: str


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """A driver ready for its rows.

    `package` is the driver without models, as plain values; `models` and `hardware_ids` (without
    repetition) are JSON texts.
    """

    summary: DriverSummary
    family: str
    search_text: str
    package: dict[str, Any]
    models: str
    hardware_ids: str
    traits: Traits


def entry(driver: Driver) -> CatalogEntry:
    """Split a driver; `whole` is the inverse."""
    ids = driver.hardware_ids
    return CatalogEntry(
        summary=summary(driver),
        family=family_of(driver),
        search_text=_search_text(driver, ids),
        package=_package(driver),
        # A list for each model, since the names of the fields would be half of the text.
        models=_json([_values(model) for model in driver.models]),
        hardware_ids=_json([*dict.fromkeys([text[:ID_LENGTH] for text in ids])]),
        traits=traits_of(driver.models),
    )


def whole(
    package: dict[str, Any],
    models: str,
    *,
    enabled: bool,
    categories: tuple[str, ...],
    claiming: frozenset[str] | None = None,
) -> Driver:
    """The driver from its parts; with `claiming`, only models that claim one of these ids."""
    return Driver(
        **{name: package[name] for name in _TEXTS},
        findings=tuple(package["findings"]),
        missing=tuple(package["missing"]),
        self_signed=package["self_signed"],
        # Packages of the first days have no result of a check.
        catalog_checked=package.get("catalog_checked", bool(package["catalog_file"])),
        catalog_named=package.get("catalog_named", package["catalog_file"]),
        architectures=frozenset(map(Architecture, package["architectures"])),
        files=tuple(map(_file, package["files"])),
        models=tuple(_model(row) for row in from_json(models) if _claims(row, claiming)),
        enabled=enabled,
        categories=categories,
    )


def summary(driver: Driver) -> DriverSummary:
    """A driver as in lists, with texts cut to the length of their columns."""
    return DriverSummary(
        digest=driver.digest,
        name=driver.name[:255],
        inf_name=driver.inf_name[:255],
        provider=driver.provider[:255],
        kind=driver.kind,
        class_name=driver.class_name[:64],
        version=driver.version[:64],
        date=driver.date,
        architectures=driver.architectures,
        signature=driver.signature,
        size=driver.size,
        ids=len(driver.hardware_ids),
        enabled=driver.enabled,
        categories=driver.categories,
        findings=driver.findings,
    )


def family_of(driver: Driver) -> str:
    """What the versions of a package have in common, as one text."""
    return "\n".join(family(driver))[:511]


def traits_of(models: Sequence[Model]) -> Traits:
    ids = dict.fromkeys(text for one in models for text in one.hardware_ids)
    compatible = {text for one in models for text in one.compatible_ids}
    services = {(one.architecture, one.service) for one in models if one.service}
    installed = {f"{architecture} {name.casefold()}" for architecture, name in services}
    spans = {one.span for one in models}
    plain = not compatible and (len(spans) == 1 or _claimed_alike(models, spans, ids.keys()))
    text = "\n".join((*ids, *compatible))
    words = dict.fromkeys(text.replace("\\", "\n").replace("&", "\n").split("\n"))
    for chip in set(_CHIP_WORDS.findall(text)):
        words.pop(chip, None)
    return Traits(
        services="\n".join(sorted(installed)).replace("\0", " "),
        spans="\n".join(sorted(" ".join(map(str, span)) for span in spans)) if plain else "",
        boards="\n".join(words).replace("\0", " "),
    )


def _claimed_alike(models: Iterable[Model], spans: Iterable[Span], ids: AbstractSet[str]) -> bool:
    claims: dict[Span, set[str]] = {span: set() for span in spans}
    for one in models:
        claims[one.span].update(one.hardware_ids)
    return all(claimed == ids for claimed in claims.values())


def models_of(text: str) -> tuple[Model, ...]:
    return tuple(map(_model, from_json(text)))


def _search_text(driver: Driver, ids: Iterable[str]) -> str:
    """The names of the driver and its chips, casefolded."""
    words = (
        driver.name,
        driver.inf_name,
        driver.provider,
        driver.class_name,
        driver.version,
        driver.date,
        *dict.fromkeys(model.description for model in driver.models),
        *dict.fromkeys(_CHIP_WORDS.findall("\n".join(ids))),
    )
    return "\n".join(words).casefold().replace("\0", " ")


def _package(driver: Driver) -> dict[str, Any]:
    return {
        **{name: getattr(driver, name) for name in _PLAIN},
        "architectures": sorted(driver.architectures),
        "files": [
            {
                "path": file.path,
                "digest": file.digest,
                "size": file.size,
                "architectures": sorted(file.architectures),
            }
            for file in driver.files
        ],
    }


def _json(value: object) -> str:
    """The standard library's json takes several times as long for thousands of ids."""
    return to_json(value).decode()


def _file(plain: dict[str, Any]) -> DriverFile:
    architectures = frozenset(map(Architecture, plain["architectures"]))
    return DriverFile(plain["path"], plain["digest"], plain["size"], architectures)


def _claims(row: list[Any], wanted: frozenset[str] | None) -> bool:
    _, _, hardware_ids, compatible_ids, *_ = row
    return wanted is None or not (
        wanted.isdisjoint(hardware_ids) and wanted.isdisjoint(compatible_ids)
    )


def _model(row: list[Any]) -> Model:
    architecture, description, hardware_ids, compatible_ids, *more = row
    return Model(
        Architecture(architecture), description, tuple(hardware_ids), tuple(compatible_ids), *more
    )
