"""A driver package: an INF with its files, identified by their content."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from netboot.images.architecture import Architecture

NETWORK_CLASS = "4d36e972-e325-11ce-bfc1-08002be10318"
SCSI_CLASS = "4d36e97b-e325-11ce-bfc1-08002be10318"
HDC_CLASS = "4d36e96a-e325-11ce-bfc1-08002be10318"
SYSTEM_CLASS = "4d36e97d-e325-11ce-bfc1-08002be10318"
# Microsoft: "System-Defined Device Setup Classes Available to Vendors".
EXTENSION_CLASS = "e2f84ce7-8efa-411c-aa69-97454ca4cb57"
COMPONENT_CLASS = "5c4c3332-344d-483c-8739-259e934c9cc8"


class DriverKind(StrEnum):
    """What a driver is for, seen from a boot."""

    NETWORK = "network"
    STORAGE = "storage"
    SYSTEM = "system"
    OTHER = "other"
    EXTENSION = "extension"
    COMPONENT = "component"

    @property
    def drives(self) -> bool:
        """Whether it can be the function driver of a device.

        An extension INF adds to a device that has one ("Using an Extension INF File"), a software
        component is a child of such a device ("Using a Component INF File").
        """
        return self not in {DriverKind.EXTENSION, DriverKind.COMPONENT}

    @property
    def about(self) -> str:
        """What an administrator must know about this kind, or empty."""
        return _ABOUT.get(self, "")


_ABOUT = {
    DriverKind.EXTENSION: (
        "This is an extension INF: it adds settings to devices that another driver drives. "
        "It drives no device itself. Add it to an image only together with that driver."
    ),
    DriverKind.COMPONENT: (
        "This is a software component: another driver installs it as an addition. "
        "It drives no hardware itself. Add it to an image only together with that driver."
    ),
}


KIND_BY_CLASS = {
    NETWORK_CLASS: DriverKind.NETWORK,
    SCSI_CLASS: DriverKind.STORAGE,
    HDC_CLASS: DriverKind.STORAGE,
    SYSTEM_CLASS: DriverKind.SYSTEM,
    EXTENSION_CLASS: DriverKind.EXTENSION,
    COMPONENT_CLASS: DriverKind.COMPONENT,
}


class Signature(StrEnum):
    """How a driver is signed; netboot does not check whether the signature is valid."""

    CATALOG = "catalog file"
    SELF = "signed programs"
    NONE = "none"


_REJECTED = "64-bit Windows rejects it."


@dataclass(frozen=True, slots=True)
class DriverFile:
    """One file of a package: `path` is relative to the INF's folder, with forward slashes.

    The INF needs it for these `architectures`; empty means for all.
    """

    path: str
    digest: str
    size: int
    architectures: frozenset[Architecture] = frozenset()


class Span(NamedTuple):
    """Windows builds on one architecture; `maximum_build` is the first after them, 0 for none."""

    architecture: Architecture
    minimum_build: int
    maximum_build: int

    def holds(self, build: int) -> bool:
        return self.minimum_build <= build and not (
            self.maximum_build and build >= self.maximum_build
        )


@dataclass(frozen=True, slots=True)
class Model:
    """Devices that the driver claims with one line of its INF, on one architecture.

    Ids are in upper case and in the INF's order. Lines that differ only in the hardware id are one
    model. It is valid on Windows builds from `minimum_build` to before `maximum_build` (0: no
    end). `feature_score` (lower is better) and `decorated` (the install section is one for NT)
    affect the rank.
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
        return Span(self.architecture, self.minimum_build, self.maximum_build)


@dataclass(frozen=True, slots=True)
class Driver:
    """A driver package in the catalog.

    `digest` is computed over the sorted (path, digest) list of `files`, so the same package
    imported twice is the same driver. `date` is ISO (YYYY-MM-DD), or empty if the INF has no valid
    one. `findings` are sentences about doubts (missing files, no catalog file). `catalog_file` is
    the path of the catalog file in `files`, or empty; `catalog_named` is what the INF names, there
    or missing; `catalog_checked` is whether the file contains the digests of the INF and of every
    program; `self_signed` is whether every .sys has its own
    signature. Without the `missing` files the package loads on no architecture. `categories` are
    the operator's own words.
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
    catalog_named: str = ""

    @property
    def kind(self) -> DriverKind:
        return KIND_BY_CLASS.get(self.class_guid.strip("{}").lower(), DriverKind.OTHER)

    @property
    def signature(self) -> Signature:
        """What Windows would find: it loads a kernel driver only with one of the two."""
        if self.catalog_file and self.catalog_checked:
            return Signature.CATALOG
        return Signature.SELF if self.self_signed else Signature.NONE

    @property
    def signed(self) -> str:
        """The one statement about the signature that pages, API and command line make."""
        match self.signature:
            case Signature.CATALOG:
                return f"Signed: the catalog file {self.catalog_file} matches the driver files."
            case Signature.SELF:
                also = f" The catalog file {self.catalog_file} cannot be used; see the warnings."
                also = also if self.catalog_file else ""
                return f"Signed: each program has its own signature.{also}"
        if self.catalog_file:
            why = f"the catalog file {self.catalog_file} cannot be used; see the warnings"
        elif self.catalog_named:
            why = f"the catalog file {self.catalog_named}, which the INF names, is missing"
        else:
            why = "the INF names no catalog file"
        return f"Not signed: {why}. {_REJECTED}"

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)

    @property
    def hardware_ids(self) -> tuple[str, ...]:
        """All ids that the driver claims, hardware and compatible, without repetition."""
        ids: list[str] = []
        for model in self.models:
            ids += model.hardware_ids
            ids += model.compatible_ids
        return tuple(dict.fromkeys(ids))
