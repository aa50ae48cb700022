"""Inbox drivers: what the INFs of a Windows PE itself drive, read once at import.

Only network and storage count. Windows PE has INFs without their .sys file: they drive nothing.
"""

from collections.abc import Container
from dataclasses import dataclass
from typing import Any

from netboot.formats.inf.inf import Inf, InfModel
from netboot.images.architecture import Architecture
from netboot.images.drivers.driver import KIND_BY_CLASS, Driver, DriverKind, Model, Span
from netboot.images.drivers.matching import NEWEST
from netboot.images.drivers.package import CLASS_OF_NAME, INF_WORD

_BOOT_KINDS = frozenset({DriverKind.NETWORK, DriverKind.STORAGE})


@dataclass(frozen=True, slots=True)
class InboxDriver:
    """An INF of a Windows PE, with the ids that it drives there."""

    inf_name: str
    provider: str
    class_guid: str
    version: str
    date: str
    hardware_ids: tuple[str, ...]
    compatible_ids: tuple[str, ...] = ()

    @staticmethod
    def from_json(data: dict[str, Any]) -> "InboxDriver":
        ids = {name: tuple(data[name]) for name in ("hardware_ids", "compatible_ids")}
        return InboxDriver(**{**data, **ids})


def read_inbox(
    inf: Inf, inf_name: str, *, architecture: Architecture, build: int, programs: Container[str]
) -> InboxDriver | None:
    """What an INF of the image drives there; None if that is neither network nor storage.

    `programs` are the names of the image's .sys files in lower case. `build` is that of the
    image, 0 if unknown.
    """
    guid = inf.version.class_guid or CLASS_OF_NAME.get(inf.version.class_name.lower(), "")
    guid = guid.strip("{}").lower()
    if inf.refusal or KIND_BY_CLASS.get(guid) not in _BOOT_KINDS:
        return None
    word, build = INF_WORD[architecture], build or NEWEST
    models = [
        model
        for model in inf.models
        if model.architecture == word
        and Span(architecture, model.minimum_build, model.maximum_build).holds(build)
        and _can_start(model, programs)
    ]
    if not models:
        return None
    return InboxDriver(
        inf_name=inf_name,
        provider=inf.version.provider,
        class_guid=guid,
        version=inf.version.version,
        date=inf.version.date,
        hardware_ids=tuple(dict.fromkeys(m.hardware_id for m in models if m.hardware_id)),
        compatible_ids=tuple(dict.fromkeys(i for m in models for i in m.compatible_ids)),
    )


def installed_services(
    inf: Inf, architecture: Architecture, programs: Container[str]
) -> frozenset[str]:
    """The services, in lower case, that an INF installs and the image has the programs of."""
    word = INF_WORD[architecture]
    return frozenset(
        service.name.lower()
        for model in inf.models
        if model.architecture == word
        for service in model.install.services
        if service.binary.lower() in programs
    )


def inside(drivers: tuple[InboxDriver, ...], architecture: Architecture) -> tuple[Driver, ...]:
    """The same as drivers, to compare with devices."""
    return tuple(_driver(one, architecture) for one in drivers)


def _driver(one: InboxDriver, architecture: Architecture) -> Driver:
    models = [Model(architecture, "part of this Windows PE", one.hardware_ids)]
    if one.compatible_ids:
        # Their positions in the INF are not stored: give each the best rank it could have.
        models += [Model(architecture, "", (), (text,)) for text in one.compatible_ids]
    return Driver(
        digest=f"inbox:{one.inf_name}",
        name=one.inf_name.removesuffix(".inf"),
        inf_name=one.inf_name,
        provider=one.provider,
        class_name="",
        class_guid=one.class_guid,
        version=one.version,
        date=one.date,
        architectures=frozenset({architecture}),
        models=tuple(models),
        files=(),
        catalog_file="part of Windows",  # inbox drivers rank as signed
        catalog_checked=True,
        enabled=True,
    )


def _can_start(model: InfModel, programs: Container[str]) -> bool:
    """Whether the image has the program of the function driver, if the INF names one."""
    driving = model.install.function_driver
    return all(
        service.binary.lower() in programs
        for service in model.install.services
        if service.name == driving and service.binary
    )
