"""A driver cut for the catalog: what lists show, what a search looks at, and the rest as JSON.

No database here, so that processes which read packages can do the cutting. Models are kept
apart: they are nine tenths of a driver, and only matching needs them.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from netboot.images.architecture import Architecture
from netboot.images.catalog import Signature, signature
from netboot.images.driver import Driver, DriverKind, Model
from netboot.images.matching import family

ID_LENGTH = 255

# The words of an id by which people look for chips. The words of boards are not kept in the
# search text: they are as many as the ids, and are found in the index of ids.
_CHIP_WORDS = re.compile(r"(?:VEN|DEV|VID|PID)_[0-9A-F]{4}(?![0-9A-F])")


@dataclass(frozen=True, slots=True)
class DriverSummary:
    """A driver as lists show it, without files and models. `ids` counts what it claims."""

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
class CatalogEntry:
    """A driver ready for its rows: `package` and `models` are JSON, ids without repetition."""

    summary: DriverSummary
    family: str
    search_text: str
    package: dict[str, Any]
    models: str
    hardware_ids: tuple[str, ...]


def entry(driver: Driver) -> CatalogEntry:
    """Cut a driver; `whole` is the inverse."""
    ids = driver.hardware_ids
    return CatalogEntry(
        summary=_summary(driver, len(ids)),
        family=family_of(driver),
        search_text=_search_text(driver, ids),
        package=_drivers().dump_python(replace(driver, models=()), mode="json"),
        models=_models().dump_json(driver.models, exclude_defaults=True).decode(),
        hardware_ids=tuple(dict.fromkeys([identifier[:ID_LENGTH] for identifier in ids])),
    )


def whole(
    package: dict[str, Any], models: str, *, enabled: bool, categories: tuple[str, ...]
) -> Driver:
    """The driver that was cut, enabled and put into categories as the catalog says."""
    return replace(
        _drivers().validate_python(package),
        models=_models().validate_json(models),
        enabled=enabled,
        categories=categories,
    )


def summary(driver: Driver) -> DriverSummary:
    """A driver as lists show it, no longer than the database's columns."""
    return _summary(driver, len(driver.hardware_ids))


def _summary(driver: Driver, ids: int) -> DriverSummary:
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
        signature=signature(driver),
        size=driver.size,
        ids=ids,
        enabled=driver.enabled,
        categories=driver.categories,
        findings=driver.findings,
    )


def family_of(driver: Driver) -> str:
    """What the versions of one package share, as one text."""
    return "\n".join(family(driver))[:511]


def _search_text(driver: Driver, ids: Iterable[str]) -> str:
    """What the driver is called and its chips, without case."""
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


@cache
def _drivers() -> TypeAdapter[Driver]:
    return TypeAdapter(Driver)


@cache
def _models() -> TypeAdapter[tuple[Model, ...]]:
    return TypeAdapter(tuple[Model, ...])
