"""A driver package: one INF with the files that it names, known by its content."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from netboot.images.architecture import Architecture

NETWORK_CLASS = "4d36e972-e325-11ce-bfc1-08002be10318"
SCSI_CLASS = "4d36e97b-e325-11ce-bfc1-08002be10318"
HDC_CLASS = "4d36e96a-e325-11ce-bfc1-08002be10318"
SYSTEM_CLASS = "4d36e97d-e325-11ce-bfc1-08002be10318"


class DriverKind(StrEnum):
    """What a driver is for, as far as booting is concerned."""

    NETWORK = "network"
    STORAGE = "storage"
    SYSTEM = "system"
    OTHER = "other"


KIND_BY_CLASS = {
    NETWORK_CLASS: DriverKind.NETWORK,
    SCSI_CLASS: DriverKind.STORAGE,
    HDC_CLASS: DriverKind.STORAGE,
    SYSTEM_CLASS: DriverKind.SYSTEM,
}


@dataclass(frozen=True, slots=True)
class DriverFile:
    """One file of a package: `path` is relative to the INF's folder, with forward slashes.

    `architectures` tells for which ones the INF needs it; empty means for all.
    """

    path: str
    digest: str
    size: int
    architectures: frozenset[Architecture] = frozenset()


class Span(NamedTuple):
    """Builds of Windows on one architecture; `maximum_build` is the first that is not meant.

    0 for that means all that come.
    """

    architecture: Architecture
    minimum_build: int
    maximum_build: int

    def holds(self, build: int) -> bool:
        """Whether this build is meant."""
        return self.minimum_build <= build and not (
            self.maximum_build and build >= self.maximum_build
        )


@dataclass(frozen=True, slots=True)
class Model:
    """Devices that the driver claims with one line of its INF, on one architecture.

    Ids are in upper case and in the INF's order. Lines that differ only in the hardware id
    are one model. It counts on Windows builds from `minimum_build` up to but not
    including `maximum_build` (0: no end), for an INF may say different things to different
    Windows. `feature_score` and `decorated` (the install section is one for NT) count in
    the ranking; lower scores are better.
    """

    architecture: Architecture
    description: str
    hardware_ids: tuple[str, ...]
    compatible_ids: tuple[str, ...] = ()
    service: str = ""
    minimum_build: int = 0
    maximum_build: int = 0
    feature_score: int = 0xFF
    decorated: bool = True

    @property
    def span(self) -> Span:
        """On what Windows PE it counts."""
        return Span(self.architecture, self.minimum_build, self.maximum_build)


@dataclass(frozen=True, slots=True)
class Driver:
    """A driver package in the catalog.

    `digest` names the content: it is computed over the sorted (path, digest) list of
    `files`, so the same package imported twice is the same driver.
    `date` is ISO (YYYY-MM-DD) or empty where the INF has none that can be read.
    `findings` are sentences about what is doubtful (missing payload, no catalog file).
    `catalog_file` is the path of the catalog file in `files`, empty where there is none;
    `catalog_checked` that it was read and knows the INF and every program by its digest;
    `self_signed` tells that every .sys carries a signature of its own. `missing` names
    payload files without which the package loads on no architecture.
    `categories` are the operator's own words.
    """

    digest: str
    name: str
    inf_name: str
    provider: str
    class_name: str
    class_guid: str
    version: str
    date: str
    architectures: frozenset[Architecture]
    models: tuple[Model, ...]
    files: tuple[DriverFile, ...]
    catalog_file: str = ""
    findings: tuple[str, ...] = ()
    enabled: bool = False
    missing: tuple[str, ...] = ()
    self_signed: bool = False
    categories: tuple[str, ...] = ()
    catalog_checked: bool = False

    @property
    def kind(self) -> DriverKind:
        """What the driver is for."""
        return KIND_BY_CLASS.get(self.class_guid.strip("{}").lower(), DriverKind.OTHER)

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files)

    @property
    def hardware_ids(self) -> tuple[str, ...]:
        """All ids the driver claims, hardware and compatible, without repetition."""
        ids: list[str] = []
        for model in self.models:
            ids += model.hardware_ids
            ids += model.compatible_ids
        return tuple(dict.fromkeys(ids))
